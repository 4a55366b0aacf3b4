"""Comparing answers: of an exported network with the eager one's, and with a release's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["compare", "compare_json"]

# Floats differ by at most this, times the largest wanted value, or 1: kernels and processors sum in
# different orders. A branch that tracing lost differs by far more.
TOLERANCE = 1e-4
# float16 has 11 bits.
TOLERANCE_FP16 = 1e-2


def compare(
    wanted: NDArray[Any], found: NDArray[Any], tolerance: float | None = None
) -> str | None:
    """How an array differs from the wanted one, in words; None if it doesn't.

    `tolerance` of floats is relative to the largest wanted value, or 1; by default it is TOLERANCE.
    """
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        return (
            f"is {found.dtype} {list(found.shape)} in place of {wanted.dtype} {list(wanted.shape)}"
        )
    if not wanted.size:
        return None
    if wanted.dtype.kind != "f":
        others = int(np.count_nonzero(found != wanted))
        return f"differs in {others} of {wanted.size} values" if others else None
    if tolerance is None:
        tolerance = TOLERANCE_FP16 if wanted.dtype == np.float16 else TOLERANCE
    exact = wanted.astype(np.float64)
    difference = float(np.abs(exact - found).max())
    # A difference of NaN is beyond.
    if difference <= tolerance * max(1.0, float(np.abs(exact).max())):
        return None
    return f"differs by {difference:.3g}"


def compare_json(wanted: Any, found: Any, path: str) -> str | None:
    """Where a value of JSON differs from the wanted one, and how; None if it doesn't."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        pairs = [(wanted[key], found[key], f"{path}.{key}") for key in wanted]
    elif isinstance(wanted, (list, tuple)) and isinstance(found, (list, tuple)):
        if len(wanted) != len(found):
            return f"{path} has {len(found)} items in place of {len(wanted)}"
        numbered = enumerate(zip(wanted, found, strict=True))
        pairs = [(want, have, f"{path}[{index}]") for index, (want, have) in numbered]
    elif isinstance(wanted, float) and isinstance(found, (int, float)):
        close = abs(wanted - found) <= TOLERANCE * max(1.0, abs(wanted))
        return None if close else f"{path} is {found} in place of {wanted}"
    else:
        return None if wanted == found else f"{path} is {found!r:.60} in place of {wanted!r:.60}"
    return next((text for pair in pairs if (text := compare_json(*pair))), None)
