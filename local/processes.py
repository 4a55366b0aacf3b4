"""Processes as the kernel knows them: alive or not, the same one or not, bound to their parent."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_running", "leashed", "start_mark", "stop"]


def leashed(command: Sequence[str], death: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command such that the kernel sends `death` to its process when the caller's dies.

    Strictly when the caller's thread does: start it from the main thread.
    """
    leash = Path(__file__).with_name("leash.py")
    return [sys.executable, "-I", "-S", str(leash), str(os.getpid()), str(int(death)), *command]


def start_mark(pid: int) -> str | None:
    """The boot and the clock tick of a process's start: with the pid, a name for it. None: gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return None
    # The name, in parentheses, may hold spaces and parentheses itself.
    state, *fields = text[text.rindex(")") + 2 :].split()
    return None if state in "ZX" else f"{boot[:8]}:{fields[18]}"


def is_running(pid: int, started: str) -> bool:
    """Whether this very process is alive, and not the next owner of its pid."""
    return start_mark(pid) == started


def stop(pid: int, started: str, grace: float = 10.0) -> None:
    """Ask a process to end, then end it. Never another one that got its pid since."""
    for death, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not is_running(pid, started):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, death)
        deadline = time.monotonic() + patience
        while is_running(pid, started) and time.monotonic() < deadline:
            time.sleep(0.02)
