"""CPU and memory of a process with all that it started, from /proc."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "cpu_ticks", "forget_peak", "peak_kib", "usage"]

PROC = Path("/proc")
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
# What the kernel takes for "forget the peak", see proc_pid_clear_refs(5).
FORGET_PEAK = "5"


@dataclass(frozen=True)
class Usage:
    """Since the start for CPU, since `forget_peak` for memory."""

    cpu_seconds: float
    peak_mib: float


def cpu_ticks(stat: str) -> int:
    """User and system time in /proc/PID/stat; of children too that have ended."""
    # The name in parentheses may hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def peak_kib(status: str) -> int:
    """VmHWM in /proc/PID/status; a process that is just ending has none."""
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


def tree(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:
        for children in PROC.glob(f"{parent}/task/*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def usage(pids: list[int]) -> Usage:
    """Of all these and their descendants."""
    ticks = peak = 0
    for pid in (each for root in pids for each in tree(root)):
        with contextlib.suppress(OSError):
            ticks += cpu_ticks((PROC / str(pid) / "stat").read_text())
            peak += peak_kib((PROC / str(pid) / "status").read_text())
    return Usage(ticks / TICKS_A_SECOND, peak / 1024)


def forget_peak(pids: list[int]) -> None:
    """Start the peak anew, where the kernel lets us; else it is that since the start."""
    for pid in (each for root in pids for each in tree(root)):
        with contextlib.suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text(FORGET_PEAK)
