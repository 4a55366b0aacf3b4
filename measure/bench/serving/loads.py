"""Loads, and the steps of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from measure.bench.serving.payloads import Payload

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CLIENTS",
    "FULL",
    "KINDS",
    "QUICK",
    "RATE",
    "Clients",
    "Load",
    "Rate",
    "Saturation",
    "Step",
    "shortened",
]

RATE = 100
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
KINDS = tuple(product(("png", "jpeg"), ((32, 32), (640, 480))))


@dataclass(frozen=True)
class Rate:
    """An open loop: requests are sent on schedule, without waiting for answers."""

    a_second: int
    seconds: float

    def __str__(self) -> str:
        return f"rate{self.a_second}"


@dataclass(frozen=True)
class Clients:
    """A closed loop: each client sends its next request after an answer."""

    count: int
    seconds: float

    def __str__(self) -> str:
        return f"clients{self.count}"


@dataclass(frozen=True)
class Saturation:
    """The highest rate of an open loop with a p99 below; each probe takes `seconds`."""

    p99_ms: float
    seconds: float
    steps: int

    def __str__(self) -> str:
        return "saturation"


Load = Rate | Clients | Saturation


@dataclass(frozen=True)
class Step:
    """A load with a payload, for the named subjects, or all that take it."""

    load: Load
    payload: Payload
    subjects: tuple[str, ...] = ()


def _full() -> tuple[Step, ...]:
    rate, saturation = Rate(RATE, 8), Saturation(50, 2.5, 5)
    standard, photo = Payload(1), Payload(1, "jpeg", 640, 480)
    return (
        *(Step(rate, Payload(1, kind, *size)) for kind, size in KINDS),
        Step(rate, Payload(8)),
        Step(saturation, standard),
        Step(saturation, photo),
        *(Step(Clients(count, 1.5), standard) for count in CLIENTS),
        *(
            Step(Clients(1, 1.2), Payload(images, kind, *size))
            for images, (kind, size) in product((1, 8, 64), KINDS)
            if Payload(images, kind, *size) != standard
        ),
    )


FULL = _full()
QUICK = (
    Step(
        Rate(RATE, 3),
        Payload(1),
        ("triton-binary", "sdk-json", "sdk-grpc", "ours-http", "ours-grpc"),
    ),
)


def shortened(steps: Sequence[Step], seconds: float | None) -> list[Step]:
    """The same steps with other durations."""
    if seconds is None:
        return list(steps)
    return [replace(step, load=replace(step.load, seconds=seconds)) for step in steps]
