"""measure/bench/results.json: the newest results, each benchmark under its own key."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Run = TypeVar("Run")
PATH = Path(__file__).parent / "results.json"


def read() -> dict[str, Any]:
    """Read the file; an empty object if it does not exist."""
    found: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {}
    return found


def medians(runs: Sequence[Run]) -> Run:
    """The median of each field of dataclasses of numbers, or of tuples of numbers."""
    rows = [vars(run) for run in runs]
    return type(runs[0])(**{name: _median([row[name] for row in rows]) for name in rows[0]})


def _median(values: Sequence[Any]) -> Any:
    if isinstance(values[0], tuple):
        return tuple(map(statistics.median, zip(*values, strict=True)))
    return statistics.median(values)


def store(key: str, found: dict[str, Any]) -> None:
    """Store results under a key; other keys stay unchanged."""
    PATH.write_text(json.dumps(read() | {key: found}, indent=1, sort_keys=True) + "\n")
