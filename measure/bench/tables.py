"""Tables for a terminal and for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["markdown", "text"]

Row = tuple[str, ...]


def text(head: Row, body: Sequence[Row]) -> str:
    """For a terminal: the first column to the left, the others to the right."""
    lines = [head, *body]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join(
        "  ".join(
            value.rjust(width) if at else value.ljust(width)
            for at, (value, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(head: Row, body: Sequence[Row]) -> str:
    """The same in Markdown."""
    ruler = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ruler, *body))
