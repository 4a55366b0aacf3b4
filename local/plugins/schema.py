"""Which properties a type has, and what is said about one that it hasn't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.plugins.wire import Path, show

# None: anything; {"*": …}: any key; a list: items of its one shape.
Shape = Mapping[str, Any]


def misfits(values: Any, shape: Any, what: str, path: Path = ()) -> dict[str, str]:
    """A failure for each property that the shape does not have, by its path."""
    if isinstance(values, dict) and isinstance(shape, Mapping):
        return _object_misfits(values, shape, what, path)
    if isinstance(values, list) and isinstance(shape, list):
        found: dict[str, str] = {}
        for index, item in enumerate(values):
            found |= misfits(item, shape[0], what, (*path, index))
        return found
    return {}


def _object_misfits(
    values: Mapping[str, Any], shape: Shape, what: str, path: Path
) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        place = (*path, key)
        if key in shape or "*" in shape:
            found |= misfits(value, shape.get(key, shape.get("*")), what, place)
        else:
            known = ", ".join(sorted(shape))
            found[show(place)] = f"{what} has no such property here; known: {known}"
    return found
