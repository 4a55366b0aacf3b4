"""Functions that read a resource's properties, whose types are not known.

Values are plain dicts and lists in tests, and the SDK's proxies for them in the pack.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Properties = Mapping[str, Any]


def at(value: object, *path: str) -> Any:
    """The value under a path of keys; None if there is none."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def mappings(value: object) -> list[Properties]:
    """The objects of a list; empty if the value is no list."""
    return [each for each in _items(value) if isinstance(each, Mapping)]


def texts(value: object) -> list[str]:
    """The strings of a list, or a single string as a list."""
    items = [value] if isinstance(value, str) else _items(value)
    return [each for each in items if isinstance(each, str)]


def number(value: object) -> float | None:
    """A number, which the engine always passes as a float; None for other values."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def kind(token: str) -> str:
    """The Kubernetes kind of a resource type; empty for other providers' types."""
    provider, _, rest = token.partition(":")
    return rest.rpartition(":")[2] if provider == "kubernetes" else ""


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
