"""The interface of Triton's two protocols, and the check of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from release import tensors
from transformer.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor

    Arrays = Mapping[str, NDArray[Any]]

__all__ = ["Predictor", "overloaded", "read_tensor", "rows", "unreached"]

# What Triton and Knative's queue-proxy answer where too many requests wait. Another attempt would
# add to them.
OVERLOADED = ("Exceeds maximum queue size", "pending request queue full")
# What gRPC, Envoy, as in Knative's gateway, and Go's proxies, as its activator and queue-proxy, say
# where a connection can't be made.
UNREACHED = (
    "failed to connect to all addresses",
    "reset reason: remote connection failure",
    "connect: connection refused",
)


class Predictor(Protocol):
    """A client of Triton that sends and receives tensors in the binary form."""

    release: Release

    async def infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], headers: Mapping[str, str]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError.

        `inputs` are all of the release's, in its types. `headers` are sent with the request, or
        as its metadata: names in lower case, values of printable ASCII.
        """
        ...

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def rows(release: Release, inputs: Arrays) -> int | None:
    """The size of the batch; None where the model has no batch."""
    return len(inputs[release.inputs[0].name]) if release.batching else None


def read_tensor(
    output: Tensor, datatype: str, shape: Sequence[int], raw: bytes | memoryview, rows: int | None
) -> NDArray[Any]:
    """An output as an array. Raises PredictorError if it isn't as the release describes it."""
    same_shape = tensors.has_shape(shape, output, batching=rows is not None)
    if datatype != output.dtype or not same_shape or (rows is not None and shape[0] != rows):
        expected = list(output.dims) if rows is None else [rows, *output.dims]
        raise PredictorError(
            f"answered {output.name} as {datatype} {list(shape)}; the release says "
            f"{output.dtype} {expected}"
        )
    try:
        array = tensors.decode(raw, output.dtype, shape)
    except ValueError as error:
        raise PredictorError(f"answered {output.name} with {len(raw)} bytes: {error}") from error
    _check_finite(output, array, rows)
    return array


def _check_finite(output: Tensor, array: NDArray[Any], rows: int | None) -> None:
    """Raise PredictorError if a number is NaN or infinite: it is no prediction, nor JSON."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    where = ""
    if rows is not None:
        finite = np.isfinite(array).reshape(rows, -1).all(axis=1)
        where = f" in row {int(finite.argmin())}"
    raise PredictorError(f"answered {output.name} with NaN or infinite values{where}", 500)


def overloaded(reason: str) -> bool:
    """Whether the predictor refused a request because too many wait."""
    return any(text in reason for text in OVERLOADED)


def unreached(reason: str) -> bool:
    """Whether an error says that nobody got the request."""
    return any(text in reason for text in UNREACHED)
