"""Reading a resource's properties, which are whatever the program wrote there.

Values come as plain dicts and lists in tests, and from the SDK as look-alikes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Properties = Mapping[str, Any]


def at(value: object, *path: str) -> Any:
    """What is under a path of keys; None where there is nothing, or no way there."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mappings(value: object) -> list[Properties]:
    """The objects of a list; none of what is no list."""
    return [each for each in _items(value) if isinstance(each, Mapping)]


def texts(value: object) -> list[str]:
    """The strings of a list, or of a single one."""
    items = [value] if isinstance(value, str) else _items(value)
    return [each for each in items if isinstance(each, str)]


def number(value: object) -> float | None:
    """A number; the engine's format has only fractions. None of what is none."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def kind(token: str) -> str:
    """The Kubernetes kind of a resource type; empty for other providers' types."""
    provider, _, rest = token.partition(":")
    return rest.rpartition(":")[2] if provider == "kubernetes" else ""


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
