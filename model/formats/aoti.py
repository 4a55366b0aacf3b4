"""AOTInductor: the release has the exported program, which a Job compiles for the serving nodes.

The file is torch.export.save's, and so is the compiled package's name, model.pt2: Triton's PyTorch
backend (`platform: "torch_aoti"`) loads `1/model.pt2`, takes the model named `model` in it, the
name that torch._inductor.aoti_compile_and_package gives, and numbers inputs and outputs in the
order of forward(): INPUT__0, OUTPUT__0. Source: src/pt2/model_state.cc of Triton's pytorch_backend.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import torch

from model.formats import Exported, Program, Signature, Values, eager
from model.formats.archive import rewrite
from model.formats.exporting import capture, quiet

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["canonical", "export", "load"]


def export(network: torch.nn.Module, examples: Values, signature: Signature) -> Exported:
    """Export a network in evaluation mode; the same weights and code give the same bytes.

    Raises ReleaseError if torch.export can't follow forward().
    """
    exported = capture(network, examples, signature)
    arguments, named = exported.example_inputs
    # The compiler needs their shapes only, and the author's data stay out of the file.
    exported.example_inputs = (tuple(map(torch.zeros_like, arguments)), named)
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(exported, buffer)
    return Exported(canonical(buffer.getvalue()))


def load(path: Path, signature: Signature) -> Program:
    """The exported program of a model.pt2, on the CPU. The file is code, and is run."""
    with quiet():
        return eager(torch.export.load(str(path)).module())


def canonical(archive: bytes) -> bytes:
    """The archive without source paths, and without what differs between builds of torch."""
    return rewrite(archive, _without_sources)


def _without_sources(name: str, content: bytes) -> bytes:
    if not (name.startswith("models/") and name.endswith(".json")):
        return content
    program = json.loads(content)
    _drop(program, "stack_trace")
    program["torch_version"] = program["torch_version"].split("+")[0]
    return json.dumps(program).encode()


def _drop(value: Any, key: str) -> None:
    """Remove a key from an object of JSON, and from those in it."""
    if isinstance(value, dict):
        value.pop(key, None)
        for each in value.values():
            _drop(each, key)
    elif isinstance(value, list):
        for each in value:
            _drop(each, key)
