"""Tables for a terminal and for Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.report.terminal import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["markdown", "text"]

Row = tuple[str, ...]


def text(head: Row, body: Sequence[Row]) -> str:
    """For a terminal: the first column aligned left, the others right."""
    return "\n".join(line.rstrip() for line in columns([head, *body]))


def markdown(head: Row, body: Sequence[Row]) -> str:
    """In Markdown, aligned likewise."""
    ruler = ("---", *("---:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ruler, *body))
