"""Pieces of Markdown; what goes into them is escaped already."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is as wide as it must be."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def folded(summary: str, content: str) -> str:
    """Content that opens on a click; the empty lines make Markdown of it again."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 object`, `2 objects`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def bold(text: str, if_so: bool) -> str:
    """Bold, if it is so."""
    return f"**{text}**" if if_so else text
