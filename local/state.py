"""The supervisor's state file: the processes that run, and their health."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.layout import write_atomically
from local.processes import is_running

if TYPE_CHECKING:
    from local.layout import Layout

__all__ = ["EDITION", "Record", "State", "read", "write"]

EDITION = "KSERVE_TRITON_EDITION"
"""The environment variable with the digest of all that the supervisor runs."""


@dataclass(frozen=True)
class Record:
    """A process. Its pid and start time identify it until the machine is rebooted."""

    pid: int
    started: str
    since: float
    port: int | None
    healthy: bool
    restarts: int

    def runs(self) -> bool:
        return self.pid > 0 and is_running(self.pid, self.started)


@dataclass(frozen=True)
class State:
    """The supervisor, its processes and its tasks (`done`, `waiting` or an error)."""

    pid: int
    started: str
    edition: str
    processes: dict[str, Record] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)

    def runs(self) -> bool:
        return is_running(self.pid, self.started)

    def is_healthy(self) -> bool:
        """Whether the supervisor runs, all processes are healthy and all tasks are done."""
        healthy = all(record.healthy for record in self.processes.values())
        return self.runs() and healthy and all(each == "done" for each in self.tasks.values())


def read(layout: Layout) -> State | None:
    """The state, or None if nothing was started, or it was stopped by `down`."""
    try:
        found = json.loads(layout.state.read_text())
    except (FileNotFoundError, ValueError):
        return None
    records = {name: Record(**each) for name, each in found.pop("processes").items()}
    return State(processes=records, **found)


def write(layout: Layout, now: State) -> None:
    write_atomically(layout.state, json.dumps(dataclasses.asdict(now), indent=2) + "\n")
