"""Comparison of an endpoint's answers with its release; a difference raises WrongAnswerError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.verify.endpoint import WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from jobs.verify.endpoint import Metadata
    from release.schema import Release, Sample, Tensor

__all__ = ["check_metadata", "check_outputs", "check_prediction"]


def check_metadata(found: Metadata, release: Release) -> None:
    """Compare names, types and dims, in order, with or without a leading -1 for the batch."""
    for kind, expected, actual in (
        ("inputs", release.inputs, found.inputs),
        ("outputs", release.outputs, found.outputs),
    ):
        if len(expected) != len(actual) or not all(map(_equal, expected, actual)):
            raise WrongAnswerError(
                f"the model's {kind} are {_format(actual)}, the release's {_format(expected)}"
            )


def check_outputs(
    found: Mapping[str, NDArray[Any]], sample: Sample, release: Release, tolerance: float
) -> float:
    """Return the largest difference from a sample's outputs, relative as `VerifyConfig` defines."""
    largest = 0.0
    for tensor, wanted in zip(release.outputs, sample.outputs, strict=True):
        if tensor.name not in found:
            raise WrongAnswerError(f"no output {tensor.name}, only {', '.join(found) or 'none'}")
        difference = _difference(found[tensor.name].ravel(), wanted)
        if not difference <= tolerance:
            raise WrongAnswerError(
                f"output {tensor.name} is {_numbers(found[tensor.name].ravel())}, the release's "
                f"{_numbers(wanted)}: {difference:.2g} apart, allowed {tolerance:g}"
            )
        largest = max(largest, difference)
    return largest


def check_prediction(
    found: Mapping[str, Any], sample: Sample, release: Release, tolerance: float
) -> float:
    """Compare `label`, `index` and `scores` with the first output; return the difference."""
    wanted = sample.outputs[0]
    index = int(np.argmax(wanted))
    label = release.labels[index]
    if found.get("index") != index or found.get("label") != label:
        raise WrongAnswerError(
            f"the prediction is {found.get('label')!r} (index {found.get('index')}), the release's "
            f"{label!r} (index {index})"
        )
    try:
        scores = np.asarray(found["scores"], dtype=np.float64).ravel()
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(f"scores are {found.get('scores')!r}, not numbers") from error
    difference = _difference(scores, wanted)
    if not difference <= tolerance:
        raise WrongAnswerError(
            f"scores are {_numbers(scores)}, the release's {_numbers(wanted)}: "
            f"{difference:.2g} apart, allowed {tolerance:g}"
        )
    return difference


def _equal(expected: Tensor, actual: Tensor) -> bool:
    dims = (expected.dims, (-1, *expected.dims))
    return (expected.name, expected.dtype) == (actual.name, actual.dtype) and actual.dims in dims


def _difference(found: NDArray[Any], wanted: Sequence[float]) -> float:
    """Largest absolute difference, relative to the largest wanted value where that is above 1.

    Infinite where the values can't be compared.
    """
    if found.size != len(wanted):
        return float("inf")
    expected = np.asarray(wanted, dtype=np.float64)
    largest = np.abs(found.astype(np.float64) - expected).max(initial=0.0)
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return float(largest) / scale if np.isfinite(largest) else float("inf")


def _numbers(values: Sequence[float] | NDArray[Any]) -> str:
    shown = ", ".join(f"{float(value):.5g}" for value in values[:4])
    return f"[{shown}{', …' if len(values) > 4 else ''}]"


def _format(tensors: Sequence[Tensor]) -> str:
    return ", ".join(map(str, tensors)) or "none"
