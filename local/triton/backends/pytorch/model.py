"""Triton's PyTorch backend for TorchScript (`platform: "pytorch_libtorch"`), on CPU.

Source of rules and texts: `src/pt` of Triton's pytorch_backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.backends.torch_backend import TEXT, TorchBackend
    from local.triton.backends.triton_backend import refuse
else:  # They lie beside this file in Triton's folder of backends.
    from torch_backend import TEXT, TorchBackend
    from triton_backend import refuse

__all__ = ["TritonPythonModel"]


class TritonPythonModel(TorchBackend):
    """A model.pt."""

    filename = "model.pt"
    types = (*TorchBackend.types, TEXT)

    def load(self, path: Path) -> None:
        super().load(path)
        for tensor in (*self.inputs, *self.outputs):
            if tensor.type == TEXT and len(tensor.dims) + self.batching > 1:
                raise refuse(
                    f"Triton only supports 1 dimensional List of String for '{tensor.name}' for "
                    f"model '{self.name}'"
                )
        self.optimized = self.parameter("DISABLE_OPTIMIZED_EXECUTION").lower() not in ("true", "1")
        self.network = torch.jit.load(str(path), map_location="cpu").eval()
        arguments = self.network.forward.schema.arguments[1:]
        for each in arguments:
            if not str(each.type).startswith(("Tensor", "List[")):
                raise refuse(
                    f"An input of type '{each.type}' was detected in the model. Only a single "
                    "input of type Dict(str, Tensor) or input(s) of type Tensor are supported."
                )
        if len(arguments) != len(self.inputs):
            raise refuse(
                f"unable to load model '{self.name}', configuration expects {len(self.inputs)} "
                f"inputs, model provides {len(arguments)}"
            )

    def forward(self, inputs: list[Any]) -> list[Any]:
        try:
            with torch.jit.optimized_execution(self.optimized):
                return _outputs(self.network(*inputs))
        except Exception as error:
            raise RuntimeError(f"PyTorch execute failure: {error}") from error


def _outputs(found: Any) -> list[Any]:
    """What forward() may return: a tensor, texts, or a tuple of these. Raises TypeError."""
    if isinstance(found, tuple):
        for index, value in enumerate(found):
            _check(value, f"output at index {index}")
        return list(found)
    if not isinstance(found, (torch.Tensor, list)):
        raise TypeError(
            "output must be of type Tensor, List[str] or Tuple containing one of these two types. "
            "It should not be a List / Dictionary of Tensors or a Scalar"
        )
    _check(found, "output")
    return [found]


def _check(value: Any, where: str) -> None:
    if isinstance(value, list):
        kinds = {"Tensor" if isinstance(x, torch.Tensor) else type(x).__name__ for x in value}
        if kinds - {"str"}:
            raise TypeError(
                f"{where} must be of type Tensor or List[str], received List[{kinds.pop()}]"
            )
    elif not isinstance(value, torch.Tensor):
        raise TypeError(f"Expected Tensor but got {type(value).__name__}")
