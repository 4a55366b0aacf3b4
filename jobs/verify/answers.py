"""Comparison of an endpoint's answers with its release; a difference raises WrongAnswerError.

Floats may differ by a tolerance, relative to the largest value beside them where that is more than
1: that of their tensor, or of their list. Integers, texts, true and false, types and shapes are
compared exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.verify.endpoint import WrongAnswerError
from release import tensors
from release.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from jobs.verify.endpoint import Metadata
    from release.schema import Release, Sample, Tensor

__all__ = ["check_metadata", "check_outputs", "check_predictions"]

SHOWN_CHARACTERS = 60


def check_metadata(found: Metadata, release: Release) -> None:
    """Compare names, types and dims, in order.

    With batching the dims may have a leading -1 for the batch.
    """
    for kind, expected, actual in (
        ("inputs", release.inputs, found.inputs),
        ("outputs", release.outputs, found.outputs),
    ):
        pairs = zip(expected, actual, strict=False)
        equal = (_equal(want, have, release.batching) for want, have in pairs)
        if len(expected) != len(actual) or not all(equal):
            raise WrongAnswerError(
                f"the model's {kind} are {_format(actual)}, the release's {_format(expected)}"
            )


def check_outputs(
    found: Mapping[str, NDArray[Any]], sample: Sample, release: Release, tolerance: float
) -> float:
    """Return the largest difference of floats from a sample's outputs, relative as above."""
    largest = 0.0
    for tensor, stored in zip(release.outputs, sample.outputs, strict=True):
        if tensor.name not in found:
            raise WrongAnswerError(f"no output {tensor.name}, only {', '.join(found) or 'none'}")
        output, wanted = found[tensor.name], tensors.values(stored, tensor.dtype)
        if (output.dtype, output.shape) != (np.dtype(DTYPES[tensor.dtype]), wanted.shape):
            raise WrongAnswerError(
                f"output {tensor.name} is {output.dtype} {list(output.shape)}, the release's "
                f"{wanted.dtype} {list(wanted.shape)}"
            )
        largest = max(largest, _check_values(output, wanted, f"output {tensor.name}", tolerance))
    return largest


def check_predictions(found: Any, wanted: Sequence[Any], tolerance: float) -> float:
    """Compare predictions; return the largest difference of floats, relative as above.

    The message names the first other value by its path, `predictions[0].boxes[2].score`.
    """
    return _compare(found, wanted, "predictions", tolerance)


def _compare(
    found: Any, wanted: Any, path: str, tolerance: float, scale: float | None = None
) -> float:
    """`scale` is the largest float of the list that has the value, None where no list has it."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict) or found.keys() != wanted.keys():
            raise _different(path, found, wanted)
        fields = [(found[key], wanted[key], _field(path, key), tolerance) for key in wanted]
        return max((_compare(*field) for field in fields), default=0.0)
    if isinstance(wanted, (list, tuple)):
        if not isinstance(found, list) or len(found) != len(wanted):
            raise _different(path, found, wanted)
        scale = _scale(wanted) if scale is None else scale
        items = enumerate(zip(found, wanted, strict=True))
        parts = (_compare(*pair, f"{path}[{n}]", tolerance, scale) for n, pair in items)
        return max(parts, default=0.0)
    if isinstance(wanted, float) and _is_number(found):
        difference = _distance(found, wanted) / (_scale([wanted]) if scale is None else scale)
        if not difference <= tolerance:
            raise _different(path, found, wanted, _apart(difference, tolerance))
        return difference
    comparable = _is_number(found) if _is_number(wanted) else type(found) is type(wanted)
    if not comparable or found != wanted:
        raise _different(path, found, wanted)
    return 0.0


def _equal(expected: Tensor, actual: Tensor, batching: bool) -> bool:
    dims = [expected.dims, (-1, *expected.dims)][: 1 + batching]
    return (expected.name, expected.dtype) == (actual.name, actual.dtype) and actual.dims in dims


def _check_values(found: NDArray[Any], wanted: NDArray[Any], name: str, tolerance: float) -> float:
    """Compare arrays of one type and shape; the message has the place that is furthest apart."""
    if not wanted.size:
        return 0.0
    if wanted.dtype.kind != "f":
        differences = (found != wanted).astype(float)
        tolerance, apart = 0.0, ""
    else:
        differences = _differences(found.astype(float), wanted.astype(float))
        apart = _apart(differences.max(), tolerance)
    if differences.max() <= tolerance:
        return float(differences.max())
    place = tuple(map(int, np.unravel_index(differences.argmax(), differences.shape)))
    raise _different(f"{name}{list(place)}", found[place], wanted[place], apart)


def _differences(found: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Differences relative to the largest wanted value; infinite where only one is finite.

    Values that aren't finite are equal if they are the same.
    """
    finite = np.isfinite(wanted)
    scale = max(1.0, float(np.abs(wanted[finite]).max(initial=0.0)))
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    with np.errstate(invalid="ignore"):
        differences = np.abs(found - wanted) / scale
    return np.where(same, 0.0, np.where(np.isfinite(differences), differences, np.inf))


def _distance(found: float, wanted: float) -> float:
    try:
        return abs(found - wanted)
    except OverflowError:  # JSON's integers have no end.
        return float("inf")


def _scale(values: Sequence[Any]) -> float:
    """The largest float in nested lists, 1 at least."""
    sizes = [
        _scale(value) if isinstance(value, (list, tuple)) else abs(value)
        for value in values
        if isinstance(value, (list, tuple, float))
    ]
    return max([1.0, *sizes])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _field(path: str, key: str) -> str:
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"


def _apart(difference: float, tolerance: float) -> str:
    return f": {difference:.2g} apart, allowed {tolerance:g}"


def _different(path: str, found: Any, wanted: Any, apart: str = "") -> WrongAnswerError:
    return WrongAnswerError(f"{path} is {_shown(found)}, the release's {_shown(wanted)}{apart}")


def _shown(value: Any) -> str:
    """A value on one line; of what is long its beginning, of a float eight digits."""
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.8g}"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object with {', '.join(map(repr, value)) or 'nothing'}"
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _format(described: Sequence[Tensor]) -> str:
    return ", ".join(map(str, described)) or "none"
