"""What the supervisor runs: processes, which it keeps running, and tasks, which run once."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Process", "Task", "options"]


@dataclass(frozen=True)
class Process:
    """A program that runs as long as the cluster."""

    name: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    needs: tuple[str, ...] = ()
    port: int | None = None
    env: dict[str, str] = field(default_factory=dict)
    death: signal.Signals = signal.SIGKILL
    """The signal that the kernel sends it if the supervisor is killed."""
    grace: float = 10.0
    """Seconds between SIGTERM and SIGKILL when it is stopped."""


@dataclass(frozen=True)
class Task:
    """A function that runs once after each start, when its needs are healthy. It is idempotent."""

    name: str
    run: Callable[[], None]
    needs: tuple[str, ...] = ()


def options(**values: object) -> list[str]:
    """Command-line flags; underscores become hyphens."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
