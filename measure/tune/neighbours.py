"""How much of this machine others use meanwhile: their work is in every figure."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Clock", "others"]

# Fields of /proc/stat that are work: user, nice, system, irq, softirq, steal; proc(5).
WORK = (1, 2, 3, 6, 7, 8)
# Fields of /proc/PID/stat behind the name: utime, stime, and those of children that have ended.
OWN = slice(11, 15)


@dataclass(frozen=True)
class Clock:
    """A moment: CPU seconds of the whole machine, and of this process and all that it started."""

    at: float
    machine: float
    own: float

    @classmethod
    def read(cls) -> Clock:
        """Now."""
        line = Path("/proc/stat").read_text().partition("\n")[0].split()
        tick = os.sysconf("SC_CLK_TCK")
        whole = sum(int(line[field]) for field in WORK)
        return cls(time.monotonic(), whole / tick, _ticks(os.getpid()) / tick)


def others(before: Clock, after: Clock) -> float:
    """Cores that everybody else kept busy between two moments; 0.5 is half of one."""
    spent = (after.machine - before.machine) - (after.own - before.own)
    return max(0.0, spent) / max(after.at - before.at, 1e-9)


def _ticks(pid: int) -> int:
    try:
        # The name, which may hold anything, ends with the last parenthesis.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except OSError:  # It has just ended, and is in its parent's figures.
        return 0
    return sum(map(int, fields[OWN])) + sum(map(_ticks, children))
