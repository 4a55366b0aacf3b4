"""Every resource that changes, with its changed properties, folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from review.blocks import Block, Priority
from review.markdown import fence, folded, plural
from review.preview import Kind
from review.properties import old_and_new

if TYPE_CHECKING:
    from collections.abc import Sequence

    from review.preview import Change

# Of one resource; the workflow's log has them all.
MAX_PROPERTIES = 40
# Prefixes by which GitHub colours a line of a diff: green, red, grey.
_SIGNS = {Kind.CREATE: "+ ", Kind.DELETE: "- ", Kind.KEEP: "  "}


def section(resources: Sequence[Change]) -> Block:
    """The resources with changed properties, then the others; the routine ones last."""
    ordered = sorted(resources, key=lambda each: each.kind in _SIGNS)
    parts = []
    for title, routine in ((None, False), ("Routine:", True)):
        lines = [line for each in ordered if each.routine is routine for line in _lines(each)]
        if lines:
            parts += [*([title] if title else []), fence(lines, "diff")]
    summary = f"Resource diff: {plural(len(resources), 'resource')}"
    return Block(folded(summary, "\n\n".join(parts)), Priority.RESOURCES, "the resource diff")


def _lines(change: Change) -> list[str]:
    title = f"{change.kind.value} {change.type} {change.name}"
    if change.kind in _SIGNS:
        return [f"{_SIGNS[change.kind]}{title}"]
    lines = [f"@@ {title} @@"]
    for path in change.paths[:MAX_PROPERTIES]:
        old, new = old_and_new(change, path)
        pairs = [(" ", old)] if old == new else [("-", old), ("+", new)]
        lines += [f"{sign} {path}: {value}" for sign, value in pairs if value is not None]
    if len(change.paths) > MAX_PROPERTIES:
        more = len(change.paths) - MAX_PROPERTIES
        lines.append(f"  and {plural(more, 'more property', 'more properties')}")
    return lines
