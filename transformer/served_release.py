"""The release that the transformer serves: an image classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from release import files
from release.schema import DTYPES, ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Release

__all__ = ["load"]

# V2 names of the types that numpy has.
NUMPY_TYPES = [dtype for dtype in DTYPES if dtype != "BF16"]


def load(path: Path, model: str) -> Release:
    """Read the release of `model`. Raises ReleaseError, also where it can't be served."""
    release = files.read(path)
    reason = _reason_against(release, model)
    if reason:
        raise ReleaseError(f"{path}: {reason}")
    return release


def _reason_against(release: Release, model: str) -> str | None:
    if release.name != model:
        return f"a release of model {release.name!r}, --model_name is {model!r}"
    height, width = release.preprocessing.height, release.preprocessing.width
    inputs = [(tensor.dtype, tensor.dims) for tensor in release.inputs]
    if inputs != [("FP32", (3, height, width))]:
        found = ", ".join(map(str, release.inputs))
        return f"inputs {found}; the transformer serves one FP32 [3, {height}, {width}]"
    unknown = [str(output) for output in release.outputs if output.dtype not in NUMPY_TYPES]
    if unknown:
        return f"outputs {', '.join(unknown)}; the transformer serves {', '.join(NUMPY_TYPES)}"
    scores, labels = release.outputs[0], len(release.labels)
    if not labels or scores.dims != (labels,):
        return f"output {scores}; the transformer serves a score for each of the {labels} labels"
    return None
