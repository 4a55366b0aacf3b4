"""What a Job tells people: its progress, and its last words."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["Progress", "last_words", "shorten"]

# Kubernetes shows it in the pod's status, and Pulumi in its error. The kubelet makes the file.
TERMINATION_LOG = "/dev/termination-log"
TERMINATION_BYTES = 4096
QUIET_SECONDS = 2.0


class Progress:
    """Says what is waited for when that changes, and then every few seconds at most."""

    def __init__(
        self,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        already: float = 0.0,
    ) -> None:
        self.out = out or sys.stdout
        self.clock = clock
        self.started = clock() - already
        self._said = ""
        self._said_at = -QUIET_SECONDS

    @property
    def seconds(self) -> float:
        """Since the start, and the seconds that had passed already."""
        return self.clock() - self.started

    def waits_for(self, text: str) -> None:
        """May be called as often as one likes."""
        if text != self._said and self.seconds - self._said_at >= QUIET_SECONDS:
            self.note(f"waiting: {text}")
            self._said, self._said_at = text, self.seconds

    def note(self, text: str) -> None:
        """Said at once."""
        print(f"[{self.seconds:6.1f} s] {text}", file=self.out, flush=True)


def last_words(text: str, path: str | None = None) -> None:
    """To stdout and to the termination log: TERMINATION_LOG in the environment, `path`, or the
    kubelet's, which is only written to where a kubelet made it."""
    print(text, flush=True)
    chosen = os.environ.get("TERMINATION_LOG") or path
    if not chosen and not Path(TERMINATION_LOG).exists():
        return
    try:
        Path(chosen or TERMINATION_LOG).write_bytes(shorten(text, TERMINATION_BYTES))
    except OSError as error:
        print(f"termination log: {error}", file=sys.stderr, flush=True)


def shorten(text: str, size: int) -> bytes:
    """UTF-8 of `size` bytes at most, cut in the middle: reasons are in front, causes at the end."""
    whole = text.encode()
    if len(whole) <= size:
        return whole
    gap = "\n…\n".encode()
    front = size // 2
    back = size - front - len(gap)
    head = whole[:front].decode(errors="ignore").encode()
    return head + gap + whole[-back:].decode(errors="ignore").encode()
