"""TorchScript: a traced network, or a scripted one where an input or output is text.

Tracing carries tensors only. A network with texts (`List[str]`) is compiled by torch.jit.script,
so its forward() needs type annotations.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch

from model.formats import Exported, Program, Signature, Values, eager
from model.formats.archive import rewrite
from model.formats.devices import follow_inputs

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["canonical", "export", "load"]


def export(network: torch.nn.Module, examples: Values, signature: Signature) -> Exported:
    """Trace a network in evaluation mode; the same weights and code give the same bytes."""
    texts = any(tensor.dtype == "BYTES" for tensor in signature.inputs + signature.outputs)
    scripted = texts or isinstance(network, torch.jit.ScriptModule)
    with torch.no_grad():
        made = (
            torch.jit.script(network)
            if scripted
            else torch.jit.trace(network, examples, check_trace=False)
        )
    buffer = io.BytesIO()
    torch.jit.save(made, buffer)
    return Exported(canonical(buffer.getvalue(), traced=not scripted))


def load(path: Path, signature: Signature) -> Program:
    """The program of a model.pt, on the CPU. The file is code, and is run."""
    return eager(torch.jit.load(str(path), map_location="cpu").eval())


def canonical(archive: bytes, *, traced: bool = True) -> bytes:
    """The archive without source paths; a traced program without devices too.

    Raises ReleaseError if a device remains.
    """
    return rewrite(archive, _on_any_device if traced else _without_sources)


def _without_sources(name: str, content: bytes) -> bytes | None:
    """Leave out what only messages need: lines of the source files, shapes of the examples."""
    return None if name.endswith(".debug_pkl") or name.startswith("traced_inputs") else content


def _on_any_device(name: str, content: bytes) -> bytes | None:
    if name.endswith(".py"):
        return follow_inputs(content.decode()).encode()
    return _without_sources(name, content)
