"""The interface of Triton's two protocols, and the check of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from release.schema import DTYPES
from transformer.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor

__all__ = ["MAX_AGE_SECONDS", "Predictor", "read_tensor"]

# A Service distributes connections over its pods, not requests. Connections are replaced at this
# age, so that new pods get requests too.
MAX_AGE_SECONDS = 60.0


class Predictor(Protocol):
    """A client of Triton that sends and receives raw tensors."""

    release: Release

    async def infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Tensor]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError."""
        ...

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def read_tensor(
    output: Tensor, datatype: str, shape: Sequence[int], raw: bytes | memoryview, batch: int
) -> NDArray[Any]:
    """An output as an array. Raises PredictorError if it isn't as the release describes it."""
    expected = (batch, *output.dims)
    same_shape = len(shape) == len(expected) and all(
        want in (-1, size) for want, size in zip(expected, shape, strict=True)
    )
    if datatype != output.dtype or not same_shape:
        raise PredictorError(
            f"answered {output.name} as {datatype} {list(shape)}; the release says "
            f"{output.dtype} {list(expected)}"
        )
    try:
        return np.frombuffer(raw, DTYPES[output.dtype]).reshape(tuple(shape))
    except ValueError as error:
        raise PredictorError(f"answered {output.name} with {len(raw)} bytes: {error}") from error
