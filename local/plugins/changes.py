"""Differences between two sets of values, and drift from the recorded values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from local.plugins.wire import UNKNOWN, Asset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.plugins.wire import Path


class Change(Enum):
    """A property's change, by its name in the protocol."""

    ADDED = "ADD"
    REMOVED = "DELETE"
    UPDATED = "UPDATE"


@dataclass(frozen=True)
class Difference:
    """The changes of an update, those that need a replacement, and the order of that."""

    changes: dict[Path, Change] = field(default_factory=dict)
    replaces: frozenset[Path] = frozenset()
    delete_first: bool = False


_ABSENT: Final = object()


def compare(old: Any, new: Any, path: Path = ()) -> dict[Path, Change]:
    """All paths at which `new` differs from `old`.

    An asset is compared by its content. An unknown value counts as a change.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return _merged(
            _compare_item(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, key))
            for key in keys
        )
    if isinstance(old, list) and isinstance(new, list):
        return _merged(
            _compare_item(_at(old, index), _at(new, index), (*path, index))
            for index in range(max(len(old), len(new)))
        )
    if isinstance(old, Asset) and isinstance(new, Asset):
        return {} if old.digest == new.digest else {path: Change.UPDATED}
    same = old is not UNKNOWN and new is not UNKNOWN and _equal(old, new)
    return {} if same else {path: Change.UPDATED}


def _compare_item(old: Any, new: Any, path: Path) -> dict[Path, Change]:
    if old is _ABSENT:
        return {path: Change.ADDED}
    if new is _ABSENT:
        return {path: Change.REMOVED}
    return compare(old, new, path)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _ABSENT


def _equal(old: Any, new: Any) -> bool:
    # True == 1 in Python, but not in JSON.
    return isinstance(old, bool) == isinstance(new, bool) and bool(old == new)


def _merged(parts: Iterable[dict[Path, Change]]) -> dict[Path, Change]:
    return {path: change for part in parts for path, change in part.items()}


def under(path: Path, prefixes: Iterable[Path]) -> bool:
    """Whether a path is equal to, below or above one of the prefixes."""
    return any(all(a == b for a, b in zip(path, prefix, strict=False)) for prefix in prefixes)


def refreshed(inputs: Any, recorded: Any, live: Any) -> Any:
    """The inputs that correspond to the live outputs.

    Only differences between recorded and live outputs count, so the server's defaults, and its own
    form of a value, are no drift.
    """
    if recorded == live:
        return inputs
    if isinstance(inputs, dict) and isinstance(recorded, dict) and isinstance(live, dict):
        return {
            key: refreshed(value, recorded.get(key), live.get(key))
            for key, value in inputs.items()
            if key in live or key not in recorded
        }
    if isinstance(inputs, list) and isinstance(recorded, list) and isinstance(live, list):
        if len(inputs) == len(recorded) == len(live):
            triples = zip(inputs, recorded, live, strict=True)
            return [refreshed(*triple) for triple in triples]
        return live
    return inputs if recorded is None and live is not None else live
