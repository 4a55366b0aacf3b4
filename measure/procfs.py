"""The processor, and CPU time and memory of processes, from /proc."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CpuTimes", "Usage", "field", "other_cores", "processor", "reset_peak", "usage"]

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Fields of /proc/stat that are work: user, nice, system, irq, softirq, steal; see proc_stat(5).
WORK = (1, 2, 3, 6, 7, 8)
# Written to /proc/PID/clear_refs, this resets VmHWM; see proc_pid_clear_refs(5).
RESET_PEAK = "5"


@dataclass(frozen=True)
class Usage:
    """CPU since the start of the processes, peak memory since the start or `reset_peak`."""

    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class CpuTimes:
    """CPU seconds of the machine, and of this process and its descendants, at a time."""

    time: float
    machine: float
    own: float

    @classmethod
    def read(cls) -> CpuTimes:
        """Read them now."""
        fields = (PROC / "stat").read_text().partition("\n")[0].split()
        machine = sum(int(fields[index]) for index in WORK) / TICKS_PER_SECOND
        return cls(time.monotonic(), machine, usage([os.getpid()]).cpu_seconds)


def other_cores(before: CpuTimes, after: CpuTimes) -> float:
    """Mean number of cores that all other processes used between two times."""
    spent = (after.machine - before.machine) - (after.own - before.own)
    return max(0.0, spent) / max(after.time - before.time, 1e-9)


def field(file: str, name: str) -> str:
    """The first value of `name` in a file of `name: value` lines; empty without it."""
    lines = (PROC / file).read_text().splitlines()
    found = [line.partition(":")[2].strip() for line in lines if line.startswith(name)]
    return found[0] if found else ""


def processor() -> str:
    """The processor's model name."""
    return field("cpuinfo", "model name") or platform.machine()


def cpu_ticks(stat: str) -> int:
    """User and system time in the text of /proc/PID/stat, with that of ended children."""
    # The name, in parentheses, may hold spaces and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def peak_kib(status: str) -> int:
    """VmHWM in the text of /proc/PID/status; 0 for a process that is ending."""
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) if found else 0


def descendants(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for children in PROC.glob(f"{parent}/task/*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def usage(pids: list[int]) -> Usage:
    """The usage of processes and their descendants."""
    ticks = peak = 0
    for pid in (each for root in pids for each in descendants(root)):
        with contextlib.suppress(OSError):
            ticks += cpu_ticks((PROC / str(pid) / "stat").read_text())
            peak += peak_kib((PROC / str(pid) / "status").read_text())
    return Usage(ticks / TICKS_PER_SECOND, peak / 1024)


def reset_peak(pids: list[int]) -> None:
    """Reset the peak memory of processes and their descendants, where the kernel allows it."""
    for pid in (each for root in pids for each in descendants(root)):
        with contextlib.suppress(OSError):
            (PROC / str(pid) / "clear_refs").write_text(RESET_PEAK)
