"""What the supervisor is given to do: processes to keep running, tasks to get done."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Process", "Task", "options"]


@dataclass(frozen=True)
class Process:
    """A program that runs as long as the cluster does."""

    name: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    needs: tuple[str, ...] = ()
    port: int | None = None
    env: dict[str, str] = field(default_factory=dict)
    death: signal.Signals = signal.SIGKILL
    """What it gets should the supervisor be killed."""
    grace: float = 10.0
    """Seconds to end by itself when it's asked to."""


@dataclass(frozen=True)
class Task:
    """Something done once for a start, when what it needs is healthy; safe to do again."""

    name: str
    run: Callable[[], None]
    needs: tuple[str, ...] = ()


def options(**values: object) -> list[str]:
    """Flags: an underscore stands for a hyphen."""
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
