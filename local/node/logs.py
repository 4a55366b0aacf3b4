"""Containers' logs, which are files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Log", "tail"]

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Log:
    """The log of a container's current run, and of the one before."""

    path: Path
    is_running: Callable[[], bool]

    @property
    def previous(self) -> Path:
        return self.path.with_name(f"{self.path.stem}.previous.log")

    def follow(self, lines: int | None, is_wanted: Callable[[float], bool]) -> Iterator[bytes]:
        """The last lines, or all of them, and then what is written while the container runs.

        `is_wanted` waits for this number of seconds, and tells whether somebody still reads.
        """
        with self.path.open("rb") as file:
            yield _tail(file, lines)
            while True:
                running = self.is_running()
                if os.fstat(file.fileno()).st_size < file.tell():  # It was shortened.
                    file.seek(0)
                if data := file.read(_BLOCK):
                    yield data
                elif not running or not is_wanted(0.2):
                    return


def tail(path: Path, lines: int | None, limit: int | None = None) -> bytes:
    """The last lines of a log, or all of them; at most `limit` bytes of these."""
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return _tail(file, lines)[:limit]


def _tail(file: BinaryIO, lines: int | None) -> bytes:
    """The last lines; the file's position is its end."""
    data, start = b"", file.seek(0, 2)
    end = start
    while start and (lines is None or data.count(b"\n") <= lines):
        step = min(_BLOCK, start)
        start -= step
        file.seek(start)
        data = file.read(step) + data
    file.seek(end)
    if lines is not None:
        data = b"".join(data.splitlines(keepends=True)[-lines:]) if lines else b""
    return data
