"""What the two ways to Triton have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from transformer.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from transformer.release import Output, Release

__all__ = ["MAX_AGE_SECONDS", "Predictor", "tensor"]

# A Service spreads connections over its pods, not requests: those that stay open for long would
# never reach a pod that came later.
MAX_AGE_SECONDS = 60.0


class Predictor(Protocol):
    """Triton, asked with raw tensors."""

    release: Release

    async def infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Output]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order asked for. Raises PredictorError."""
        ...

    async def ready(self) -> bool:
        """The model answers requests."""
        ...

    async def close(self) -> None:
        """End its connections."""
        ...


def tensor(
    output: Output, datatype: str, shape: Sequence[int], raw: bytes | memoryview, batch: int
) -> NDArray[Any]:
    """An output as an array; it must be what the release says. Raises PredictorError."""
    expected = (batch, *output.dims)
    fits = len(shape) == len(expected) and all(
        want in (-1, size) for want, size in zip(expected, shape, strict=True)
    )
    if datatype != output.datatype or not fits:
        raise PredictorError(
            f"answered {output.name} as {datatype} {list(shape)}; the release says "
            f"{output.datatype} {list(expected)}"
        )
    try:
        return np.frombuffer(raw, output.numpy).reshape(tuple(shape))
    except ValueError as error:
        raise PredictorError(f"answered {output.name} with {len(raw)} bytes: {error}") from error
