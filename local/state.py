"""What runs right now, as the supervisor last wrote it down."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.layout import write_private
from local.processes import is_running

if TYPE_CHECKING:
    from local.layout import Layout

__all__ = ["EDITION", "Record", "State", "read", "write"]

EDITION = "KSERVE_TRITON_EDITION"
"""The environment variable that tells the supervisor which edition of everything it runs."""


@dataclass(frozen=True)
class Record:
    """A process. Pid and start time together name it for as long as the machine is up."""

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

    def is_well(self) -> bool:
        """All healthy, all done, and somebody looks after it."""
        well = all(record.healthy for record in self.processes.values())
        return self.runs() and well and all(said == "done" for said in self.tasks.values())


def read(layout: Layout) -> State | None:
    """None: nothing was started, or it was stopped in good order."""
    try:
        found = json.loads(layout.state.read_text())
    except (FileNotFoundError, ValueError):
        return None
    records = {name: Record(**each) for name, each in found.pop("processes").items()}
    return State(processes=records, **found)


def write(layout: Layout, now: State) -> None:
    write_private(layout.state, json.dumps(dataclasses.asdict(now), indent=2) + "\n")
