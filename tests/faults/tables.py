"""The tables of docs/reliability.md, whose rows are what the last runs measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PAGE", "Row", "Rows", "render", "replace"]

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
Row = tuple[str, ...]
Rows = dict[str, Row]
"""A table's rows by their first cell."""


def replace(page: str, measured: Mapping[str, Rows]) -> str:
    """Put rows into the tables of a page; those that were not measured stay.

    A table's name is in a comment in the line before it. Raises KeyError for a table that the page
    does not have.
    """
    lines = page.splitlines()
    for name, rows in measured.items():
        marks = [number for number, line in enumerate(lines) if line == f"<!-- {name} -->"]
        if not marks:
            raise KeyError(f"{PAGE.name}: no table {name}")
        # After the comment: an empty line, the heads of the columns, and a line of dashes.
        first = last = marks[0] + 4
        while last < len(lines) and lines[last].startswith("|"):
            last += 1
        old = {row[0]: row for row in map(_cells, lines[first:last])}
        lines[first:last] = map(_line, (old | rows).values())
    return "\n".join(lines) + "\n"


def render(name: str, rows: Iterable[Row]) -> list[str]:
    """A table's rows as aligned lines for a terminal."""
    found = list(rows)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in found]
    return [name, *(f"  {line}" for line in lines)]


def _cells(line: str) -> Row:
    return tuple(cell.strip() for cell in line.strip("|").split("|"))


def _line(row: Row) -> str:
    return f"| {' | '.join(row)} |"
