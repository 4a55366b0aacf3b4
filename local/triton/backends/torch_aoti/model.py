"""Triton's PyTorch backend for AOTInductor's packages (`platform: "torch_aoti"`), on CPU.

Source of rules and texts: `src/pt2` of Triton's pytorch_backend.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.backends.torch_backend import TorchBackend
    from local.triton.backends.triton_backend import Tensor, refuse
else:  # They lie beside this file in Triton's folder of backends.
    from torch_backend import TorchBackend
    from triton_backend import Tensor, refuse

__all__ = ["TritonPythonModel"]


class TritonPythonModel(TorchBackend):
    """A model.pt2."""

    filename = "model.pt2"

    def load(self, path: Path) -> None:
        super().load(path)
        # torch._inductor has no public name. Loading is documented, the call specification isn't.
        self.network = torch._inductor.aoti_load_package(str(path))
        takes, gives = map(json.loads, self.network.loader.get_call_spec())
        inputs = _leaves(takes[1])
        if inputs != len(self.inputs):
            raise refuse(
                f'Failed to load model "{self.instance}" configuration expects '
                f"{len(self.inputs)} inputs, but model expects {inputs} inputs."
            )
        self._check_names(self.inputs, "Input", inputs)
        self._check_names(self.outputs, "Output", _leaves(gives[1]))

    def forward(self, inputs: list[Any]) -> list[Any]:
        try:
            return _flat(self.network(*inputs))
        except Exception as error:
            raise RuntimeError(
                f'Inductor model instance "{self.instance}" execution failure: {error}'
            ) from error

    def _check_names(self, tensors: list[Tensor], kind: str, number: int) -> None:
        names = [f"{kind.upper()}__{index}" for index in range(number)]
        for tensor in tensors:
            if tensor.name not in names:
                raise refuse(
                    f'{kind} "{tensor.name}" for model instance "{self.instance}" is not found in '
                    f"model {kind.lower()} map."
                )


def _leaves(spec: dict[str, Any]) -> int:
    """Tensors in a tree of PyTorch's call specification."""
    return sum(map(_leaves, spec["children_spec"])) if spec["type"] else 1


def _flat(found: Any) -> list[Any]:
    """The tensors of nested tuples, lists and dictionaries, in their order."""
    if isinstance(found, dict):
        found = tuple(found.values())
    return [y for x in found for y in _flat(x)] if isinstance(found, (tuple, list)) else [found]
