"""The properties of a type, and the failures for others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.plugins.wire import Path, show

# None: anything; {"*": …}: any key; a list: items of its one shape.
Shape = Mapping[str, Any]


def unsupported(values: Any, shape: Any, what: str, path: Path = ()) -> dict[str, str]:
    """A failure for each property that is not in the shape, by its path."""
    if isinstance(values, dict) and isinstance(shape, Mapping):
        return _unsupported_keys(values, shape, what, path)
    if isinstance(values, list) and isinstance(shape, list):
        found: dict[str, str] = {}
        for index, item in enumerate(values):
            found |= unsupported(item, shape[0], what, (*path, index))
        return found
    return {}


def _unsupported_keys(
    values: Mapping[str, Any], shape: Shape, what: str, path: Path
) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        place = (*path, key)
        if key in shape or "*" in shape:
            found |= unsupported(value, shape.get(key, shape.get("*")), what, place)
        else:
            names = ", ".join(sorted(shape))
            found[show(place)] = f"{what} has no such property here; supported: {names}"
    return found
