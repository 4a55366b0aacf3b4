"""Processes: are they running, stop them, end them with their parent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["is_running", "leashed", "locked", "start_mark", "stop"]


def leashed(command: Sequence[str], death: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command, run so that the kernel sends it the signal `death` when its parent ends.

    Strictly, when the thread that starts it ends: start it from the main thread.
    """
    leash = Path(__file__).with_name("leash.py")
    return [sys.executable, "-I", "-S", str(leash), str(os.getpid()), str(int(death)), *command]


@contextlib.contextmanager
def locked(path: Path, message: str, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock, which the kernel releases at the latest with this process.

    While another process holds it, print the message and wait, or raise LocalError with it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise LocalError(message) from None
            print(message, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start_mark(pid: int) -> str | None:
    """Boot and clock tick of a process's start, which identify it with its pid. None: it ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return None
    # The name, in parentheses, may contain spaces and parentheses.
    state, *fields = text[text.rindex(")") + 2 :].split()
    return None if state in "ZX" else f"{boot[:8]}:{fields[18]}"


def is_running(pid: int, started: str) -> bool:
    """Whether this process runs, and its pid was not given to another one."""
    return start_mark(pid) == started


def stop(pid: int, started: str, grace: float = 10.0) -> None:
    """End a process, by SIGTERM and then SIGKILL, and never another one that got its pid."""
    for death, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if not is_running(pid, started):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, death)
        deadline = time.monotonic() + patience
        while is_running(pid, started) and time.monotonic() < deadline:
            time.sleep(0.02)
