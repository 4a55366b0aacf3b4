"""What differs between two releases of a model, as rows of its table: label, old, new, note."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from release.schema import short
from review.markdown import NOTHING, code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from release.lock import Entry

    Row = tuple[str, str, str, str]

# A handler may have hundreds of files.
MAX_ROWS = 20
LONG = 200


def metric(entry: Entry, name: str) -> str:
    """A metric's value; nothing where the release does not have it."""
    value = entry.metrics.get(name)
    return NOTHING if value is None else f"{value:.4g}"


def metric_note(old: Entry, new: Entry, name: str) -> str:
    """The difference; whether more is better is not known."""
    if not (name in old.metrics and name in new.metrics):
        return ""
    difference = new.metrics[name] - old.metrics[name]
    return f"{difference:+.4g}".replace("-", "−") if difference else ""


def changed_rows(old: Entry, new: Entry) -> list[Row]:
    """Rows of what is the same in most updates: each only where it changes."""
    whole: tuple[tuple[str, Callable[[Entry], str]], ...] = (
        ("batches", lambda entry: "yes" if entry.batching else "no"),
        ("image", lambda entry: code(_json(asdict(entry.image)), LONG) if entry.image else NOTHING),
        ("held out", lambda entry: f"{entry.held_out:,}"),
    )
    rows = [(label, read(old), read(new), "") for label, read in whole]
    rows += _by_key("labels of", _labels(old), _labels(new))
    rows += _by_key("provenance", old.provenance, new.provenance)
    rows += _handler(old, new)
    return [row for row in rows if row[1] != row[2]]


def _labels(entry: Entry) -> dict[str, str]:
    return {each.name: ", ".join(each.labels) for each in entry.outputs if each.labels}


def _handler(old: Entry, new: Entry) -> list[Row]:
    before, after = (_files(entry) for entry in (old, new))
    rows = [
        (label, before_cell, after_cell, _file_note(before_cell, after_cell))
        for label, before_cell, after_cell, _ in _by_key("handler's", before, after)
        if before_cell != after_cell
    ]
    if len(rows) > MAX_ROWS:
        more = len(rows) - MAX_ROWS
        rows = [*rows[:MAX_ROWS], ("handler's other files", NOTHING, f"{more} more change", "")]
    return rows + _by_key("handler's parameter", _parameters(old), _parameters(new))


def _files(entry: Entry) -> dict[str, str]:
    files = entry.handler.files if entry.handler else {}
    return {path: short(file.sha256) for path, file in files.items()}


def _parameters(entry: Entry) -> dict[str, str]:
    parameters = entry.handler.parameters if entry.handler else {}
    return {name: _json(value) for name, value in parameters.items()}


def _file_note(old: str, new: str) -> str:
    return "added" if old == NOTHING else "removed" if new == NOTHING else "changed"


def _by_key(label: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Row]:
    def cell(values: Mapping[str, str], key: str) -> str:
        return code(values[key], LONG) if key in values else NOTHING

    keys = sorted(old.keys() | new.keys())
    return [(f"{label} {code(key)}", cell(old, key), cell(new, key), "") for key in keys]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
