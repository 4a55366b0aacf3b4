"""The formats of a release: each module exports a network, and loads what it exported.

    export(network, examples, signature) -> Exported
    load(path, signature) -> Program

A format's parameters, names and limits stand in its module.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray

from release.schema import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Format, Tensor

__all__ = [
    "Exported",
    "Program",
    "Signature",
    "Values",
    "arrays",
    "eager",
    "module",
    "values",
]

# Arguments of a network, one for each input; texts are a list of str, as TorchScript has them.
Values: TypeAlias = tuple[torch.Tensor | list[str], ...]
# Takes and returns arrays in the signature's order, whole batches. A scalar's array is [batch],
# texts are arrays of bytes (dtype object).
Program: TypeAlias = Callable[[Sequence[NDArray[Any]]], tuple[NDArray[Any], ...]]


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a network; with `batching` the batch comes before their dims."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    batching: bool = True


@dataclass(frozen=True)
class Exported:
    """A model file. `opset` and `ir` are those of an ONNX file."""

    content: bytes
    opset: int | None = None
    ir: int | None = None


class FormatModule(Protocol):
    """What each module of this package has."""

    def export(
        self, network: torch.nn.Module, examples: Values, signature: Signature
    ) -> Exported: ...

    def load(self, path: Path, signature: Signature) -> Program: ...


def module(format: Format) -> FormatModule:
    """The module of a format, imported when it is needed."""
    return cast("FormatModule", importlib.import_module(f"model.formats.{format}"))


def eager(network: Callable[..., Any]) -> Program:
    """A network as a program: without gradients, on the CPU.

    The program raises ReleaseError if the network returns anything but tensors or texts.
    """

    def program(inputs: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
        with torch.no_grad():
            return arrays(network(*values(inputs)))

    return program


def values(inputs: Sequence[NDArray[Any]]) -> Values:
    """Arrays as arguments of a network."""
    return tuple(
        [each.decode() if isinstance(each, bytes) else str(each) for each in item.ravel()]
        if item.dtype == object
        else torch.from_numpy(np.array(item))
        for item in inputs
    )


def arrays(found: Any) -> tuple[NDArray[Any], ...]:
    """What a network returned as arrays. Raises ReleaseError if Triton can't serve it."""
    if _is_texts(found) or isinstance(found, torch.Tensor):
        found = (found,)
    if not isinstance(found, tuple):
        raise ReleaseError(
            f"the network returns a {type(found).__name__}; allowed: a tensor, or a tuple of "
            "tensors: let forward() return tuple(outputs), of a dict tuple(outputs.values())"
        )
    made = []
    for index, item in enumerate(found):
        if _is_texts(item):
            texts = np.empty(len(item), object)
            texts[:] = [each.encode() for each in item]
            made.append(texts)
        elif isinstance(item, torch.Tensor):
            made.append(item.detach().cpu().numpy())
        else:
            raise ReleaseError(
                f"the network returns a {type(item).__name__} as output {index}; allowed: a tensor"
            )
    return tuple(made)


def _is_texts(found: Any) -> bool:
    return isinstance(found, list) and bool(found) and all(isinstance(each, str) for each in found)
