"""A pod's hosts file, changed while programs read it.

A container keeps the file that was mounted, so the file can't be replaced. Programs read it in
pieces: if lines moved, a name could be missed, and Go's resolver would miss it for five seconds.
So a line stays where it is as long as it is valid; a new one takes the place of an old one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["edits", "update"]


def update(path: Path, lines: Iterable[str]) -> None:
    """Make these the lines of a file, in any order. Raises OSError."""
    made = list(edits(path.read_bytes(), lines))
    if not made:
        return
    descriptor = os.open(path, os.O_WRONLY)
    try:
        for offset, data in made:
            os.pwrite(descriptor, data, offset)
    finally:
        os.close(descriptor)


def edits(before: bytes, lines: Iterable[str]) -> Iterator[tuple[int, bytes]]:
    """Offset and bytes of what must be written, so that no valid line moves."""
    missing = dict.fromkeys(line.encode() for line in lines)
    free: dict[int, bytes] = {}
    end = 0
    for slot in before.splitlines(keepends=True):
        if slot.rstrip() in missing:
            del missing[slot.rstrip()]
        else:
            free[end] = slot[:-1]
        end += len(slot)
    for line in missing:
        place = next((at for at, old in free.items() if len(old) >= len(line)), None)
        if place is not None:
            yield place, line.ljust(len(free.pop(place)))
        else:
            yield end, line + b"\n"
            end += len(line) + 1
    for at, old in free.items():
        if old.strip():
            yield at, b" " * len(old)
