"""Output of a Job: lines of progress, and the termination message of its pod."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["Progress", "finish", "truncate"]

# Made by the kubelet; Kubernetes shows its content in the pod's status, and Pulumi in its error.
TERMINATION_LOG = Path("/dev/termination-log")
TERMINATION_BYTES = 4096
INTERVAL_SECONDS = 2.0


class Progress:
    """Prints lines with the seconds since the start; `elapsed` seconds had passed before it."""

    def __init__(
        self,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        elapsed: float = 0.0,
    ) -> None:
        self.out = out or sys.stdout
        self.clock = clock
        self.started = clock() - elapsed
        self._waiting = ""
        self._printed = -INTERVAL_SECONDS

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self.started

    def waiting(self, text: str) -> None:
        """Print what is waited for when it has changed, at most every few seconds."""
        if text != self._waiting and self.seconds - self._printed >= INTERVAL_SECONDS:
            self.log(f"waiting: {text}")
            self._waiting, self._printed = text, self.seconds

    def log(self, text: str) -> None:
        """Print a line."""
        print(f"[{self.seconds:6.1f} s] {text}", file=self.out, flush=True)


def finish(message: str) -> None:
    """Print the last message, and write it to the termination log where there is one."""
    print(message, flush=True)
    if not TERMINATION_LOG.exists():
        return
    try:
        TERMINATION_LOG.write_bytes(truncate(message, TERMINATION_BYTES))
    except OSError as error:
        print(f"termination log: {error}", file=sys.stderr, flush=True)


def truncate(text: str, size: int) -> bytes:
    """UTF-8 of at most `size` bytes, cut in the middle: both ends say most about a failure."""
    encoded = text.encode()
    if len(encoded) <= size:
        return encoded
    gap = "\n…\n".encode()
    front = size // 2
    back = size - front - len(gap)
    head = encoded[:front].decode(errors="ignore").encode()
    return head + gap + encoded[-back:].decode(errors="ignore").encode()
