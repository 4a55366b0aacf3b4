"""TorchScript: a traced network, or a scripted one where an input or output is text.

Tracing carries tensors only. A network with texts (`List[str]`) is compiled by torch.jit.script,
so its forward() needs type annotations.
"""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import torch

from model.formats import Exported, Program, Signature, Values, eager

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["canonical", "export", "load"]

# torch's reader maps tensor data in place where it is aligned to this many bytes.
ALIGNMENT = 64


def export(network: torch.nn.Module, examples: Values, signature: Signature) -> Exported:
    """Trace a network in evaluation mode; the same weights and code give the same bytes."""
    texts = any(tensor.dtype == "BYTES" for tensor in signature.inputs + signature.outputs)
    with torch.no_grad():
        made = (
            torch.jit.script(network)
            if texts
            else torch.jit.trace(network, examples, check_trace=False)
        )
    buffer = io.BytesIO()
    torch.jit.save(made, buffer)
    return Exported(canonical(buffer.getvalue()))


def load(path: Path, signature: Signature) -> Program:
    """The program of a model.pt, on the CPU. The file is code, and is run."""
    return eager(torch.jit.load(str(path), map_location="cpu").eval())


def canonical(archive: bytes) -> bytes:
    """Remove what depends on the machine: the same weights and code give the same bytes.

    torch.jit.save adds the paths of source files (*.debug_pkl) and an identity made over them;
    neither is needed to load.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(made, "w") as target:
        for item in source.infolist():
            inner = item.filename.split("/", 1)[1]
            if inner.endswith(".debug_pkl") or inner == ".data/serialization_id":
                continue
            entry = zipfile.ZipInfo(f"model/{inner}", date_time=(1980, 1, 1, 0, 0, 0))
            header = 30 + len(entry.filename.encode())
            # An extra field of zeros (id, length, padding) puts the data on the boundary.
            padding = -(made.tell() + header + 4) % ALIGNMENT
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            target.writestr(entry, source.read(item))
    return made.getvalue()
