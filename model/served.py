"""A program as clients see it: arrays by name, a scalar with a dimension of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

if TYPE_CHECKING:
    from model.formats import Program, Signature
    from release.schema import Release, Tensor

__all__ = ["Served", "as_client", "serve"]

Served: TypeAlias = Callable[[Mapping[str, NDArray[Any]]], dict[str, NDArray[Any]]]


def serve(program: Program, signature: Signature | Release) -> Served:
    """The program, taking and returning what clients send and get."""

    def served(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found = program(
            [
                inputs[tensor.name].reshape(-1) if tensor.scalar else inputs[tensor.name]
                for tensor in signature.inputs
            ]
        )
        pairs = zip(signature.outputs, found, strict=True)
        return {tensor.name: as_client(array, tensor) for tensor, array in pairs}

    return served


def as_client(array: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    """The network's array as clients see it: [batch, 1] of a scalar's [batch]."""
    return array.reshape(-1, 1) if tensor.scalar else array
