"""Every resource that changes, with the properties that do, folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.escape import fence
from review.fit import Block, Need
from review.markdown import counted, folded
from review.preview import Kind
from review.properties import sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.preview import Change

# A manifest that is new throughout says more in the workflow's log than here.
MOST_PROPERTIES = 40
# By which GitHub colours the line: green, red, grey.
_SIGNS = {Kind.CREATE: "+ ", Kind.DELETE: "- ", Kind.KEEP: "  "}


def section(changes: Sequence[Change]) -> Block:
    """What matters first, then what changes by design."""
    parts = []
    for title, routine in (("", False), ("Routine:", True)):
        some = [each for each in changes if each.routine is routine]
        if some:
            lines = [line for each in some for line in _lines(each)]
            parts += [*([title] if title else []), fence(lines, "diff")]
    summary = f"Resource diff: {counted(len(changes), 'resource')}"
    return Block(folded(summary, "\n\n".join(parts)), Need.RESOURCES, "the resource diff")


def _lines(change: Change) -> list[str]:
    title = f"{change.kind.value} {change.type} {change.name}"
    if change.kind in _SIGNS:
        return [f"{_SIGNS[change.kind]}{title}"]
    lines = [f"@@ {title} @@"]
    for path in change.paths[:MOST_PROPERTIES]:
        old, new = sides(change, path)
        if old == new and old is not None:
            lines.append(f"  {path}: {old}")
        lines += [f"{sign} {path}: {value}" for sign, value in _signed(old, new)]
    if len(change.paths) > MOST_PROPERTIES:
        more = len(change.paths) - MOST_PROPERTIES
        lines.append(f"  and {counted(more, 'more property', 'more properties')}")
    return lines


def _signed(old: str | None, new: str | None) -> list[tuple[str, str]]:
    if old == new:
        return []
    return [(sign, value) for sign, value in (("-", old), ("+", new)) if value is not None]
