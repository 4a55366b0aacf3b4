"""What the backends that run PyTorch have in common; `launch.py` copies it beside each."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from local.triton.backends.triton_backend import Backend, Tensor, refuse
else:  # It lies beside this file in Triton's folder of backends.
    from triton_backend import Backend, Tensor, refuse

__all__ = ["TEXT", "TorchBackend"]

TEXT = "TYPE_STRING"
TYPES = {
    torch.bool: "TYPE_BOOL",
    torch.uint8: "TYPE_UINT8",
    torch.int8: "TYPE_INT8",
    torch.int16: "TYPE_INT16",
    torch.int32: "TYPE_INT32",
    torch.int64: "TYPE_INT64",
    torch.float16: "TYPE_FP16",
    torch.float32: "TYPE_FP32",
    torch.float64: "TYPE_FP64",
}


class TorchBackend(Backend):
    """A backend on torch; it defines `load` and `forward`."""

    types: tuple[str, ...] = tuple(TYPES.values())

    def load(self, path: Path) -> None:
        """Order the config's tensors and check their types, and set the numbers of threads."""
        self.inputs, self.outputs = _ordered(self.inputs), _ordered(self.outputs)
        for tensor in (*self.inputs, *self.outputs):
            if tensor.type not in self.types:
                raise refuse(
                    f"unsupported datatype {tensor.type} for '{tensor.name}' for model "
                    f"'{self.name}'"
                )
        threads, between = (self.parameter(f"{x}_OP_THREAD_COUNT") for x in ("INTRA", "INTER"))
        if threads:  # Else torch follows OMP_NUM_THREADS.
            torch.set_num_threads(int(threads))
        if between:
            torch.set_num_interop_threads(int(between))

    def forward(self, inputs: list[Any]) -> list[Any]:
        """Tensors, or lists of texts, in the order of `inputs` and `outputs`."""
        raise NotImplementedError

    def run(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        with self._modes():
            found = self.forward([_to_torch(array) for array in inputs])
        if len(found) < len(self.outputs):
            raise ValueError(
                f"The output {self.outputs[len(found)].name} in the model configuration refers to "
                f"an output index which doesn't exist. This model has {len(found)} outputs"
            )
        return [
            _to_numpy(value, tensor) for value, tensor in zip(found, self.outputs, strict=False)
        ]

    @contextlib.contextmanager
    def _modes(self) -> Iterator[None]:
        inference = self.parameter("INFERENCE_MODE", "true").lower() in ("true", "1")
        with torch.no_grad(), torch.inference_mode(inference):
            yield


def _ordered(tensors: list[Tensor]) -> list[Tensor]:
    """Tensors in the order of the `__<index>` that every name must end with."""
    found: dict[int, Tensor] = {}
    for tensor in tensors:
        index = re.fullmatch(r".+?__(\d+)", tensor.name)
        if index is None:
            raise refuse(f"'{tensor.name}' does not follow <name>__<index> naming convention.")
        found[int(index[1])] = tensor
    if sorted(found) != list(range(len(tensors))):
        raise refuse(f"tensor indices {sorted(found)} are not 0, 1, ...")
    return [found[index] for index in range(len(tensors))]


def _to_torch(array: NDArray[Any]) -> Any:
    if array.dtype == object:
        return [text.decode() for text in array.ravel()]
    return torch.from_numpy(array)


def _to_numpy(value: Any, tensor: Tensor) -> NDArray[Any]:
    """An output as an array. Raises ValueError if its type isn't the config's."""
    has = TEXT if isinstance(value, list) else TYPES.get(value.dtype, "TYPE_<invalid>")
    if has != tensor.type:
        raise ValueError(
            f"configuration expects datatype {tensor.type} for output '{tensor.name}', model "
            f"provides {has}"
        )
    if isinstance(value, list):
        return np.array([text.encode() for text in value], object)
    if value.dim() == 0:
        raise ValueError(f"output '{tensor.name}' is a scalar which is not supported.")
    made: NDArray[Any] = value.detach().contiguous().numpy()
    return made
