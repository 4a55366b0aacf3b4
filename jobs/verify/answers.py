"""Whether what an endpoint says is what its release says; WrongAnswerError where it isn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.verify.endpoint import WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from jobs.release import Release, Sample, Tensor
    from jobs.verify.endpoint import Metadata

__all__ = ["check_metadata", "check_outputs", "check_prediction"]


def check_metadata(found: Metadata, release: Release) -> None:
    """Names, types and dims, in order; a leading -1, the batch, may be there or not."""
    for kind, ours, theirs in (
        ("inputs", release.inputs, found.inputs),
        ("outputs", release.outputs, found.outputs),
    ):
        same = len(ours) == len(theirs) and all(map(_same, ours, theirs))
        if not same:
            raise WrongAnswerError(
                f"the model's {kind} are {_shown(theirs)}, the release's {_shown(ours)}"
            )


def check_outputs(
    found: Mapping[str, NDArray[Any]], sample: Sample, release: Release, tolerance: float
) -> float:
    """The largest difference from the sample's answers, relative as `Verify.tolerance` says."""
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
    """The transformer's `label`, `index` and `scores` for the first output; the difference."""
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


def _same(ours: Tensor, theirs: Tensor) -> bool:
    dims = (ours.dims, (-1, *ours.dims))
    return (ours.name, ours.dtype) == (theirs.name, theirs.dtype) and theirs.dims in dims


def _difference(found: NDArray[Any], wanted: Sequence[float]) -> float:
    """Infinite when they can't be compared. A GPU rounds by size, so large answers differ more."""
    if found.size != len(wanted):
        return float("inf")
    expected = np.asarray(wanted, dtype=np.float64)
    apart = np.abs(found.astype(np.float64) - expected).max(initial=0.0)
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return float(apart) / scale if np.isfinite(apart) else float("inf")


def _numbers(values: Sequence[float] | NDArray[Any]) -> str:
    shown = ", ".join(f"{float(value):.5g}" for value in values[:4])
    return f"[{shown}{', …' if len(values) > 4 else ''}]"


def _shown(tensors: Sequence[Tensor]) -> str:
    return ", ".join(map(str, tensors)) or "none"
