"""Processes as the kernel knows them: alive or not, the same one or not, bound to their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dies_with_parent", "is_running", "start_time", "stop"]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def dies_with_parent(death: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends `death` when the thread that started the child is gone."""
    parent = os.getpid()

    def bind() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, death)
        if os.getppid() != parent:  # It died before the line above.
            os._exit(1)

    return bind


def start_time(pid: int) -> int | None:
    """In clock ticks since boot; a process and its pid's next owner differ in it. None: gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold spaces and parentheses itself.
    state, *fields = text[text.rindex(")") + 2 :].split()
    return None if state in "ZX" else int(fields[18])


def is_running(pid: int, started: int) -> bool:
    """Whether this very process is alive."""
    return start_time(pid) == started


def stop(pid: int, started: int, grace: float = 10.0) -> None:
    """Ask a process to end, then end it. Never another one that got its pid since."""
    for death, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not is_running(pid, started):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, death)
        deadline = time.monotonic() + patience
        while is_running(pid, started) and time.monotonic() < deadline:
            time.sleep(0.02)
