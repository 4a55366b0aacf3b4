"""Strategies that the tests of several packages draw from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from release.schema import DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray


@st.composite
def arrays_of(draw: st.DrawFn, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Arrays of a V2 type and a shape."""
    count = int(np.prod(shape))
    elements: st.SearchStrategy[Any]
    if dtype == "BYTES":
        elements = st.text(max_size=5)
    elif dtype == "BOOL":
        elements = st.booleans()
    elif dtype.startswith("FP"):
        elements = st.floats(-60000, 60000, width=int(dtype[2:]))  # type: ignore[arg-type]
    else:
        limits: Any = np.iinfo(DTYPES[dtype])
        elements = st.integers(int(limits.min), int(limits.max))
    values = draw(st.lists(elements, min_size=count, max_size=count))
    made = np.empty(count, DTYPES[dtype])
    made[:] = values
    return made.reshape(shape)
