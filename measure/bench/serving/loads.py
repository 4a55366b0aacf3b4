"""Loads, and the steps of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

from measure.bench.serving.payloads import Payload
from measure.bench.serving.subjects import FORMATS, PEERS, TRANSFORMERS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "CLIENTS",
    "FEW_CLIENTS",
    "FULL",
    "KINDS",
    "MODEL",
    "MODELS",
    "QUICK",
    "RATE",
    "SEVERAL",
    "Clients",
    "Load",
    "Rate",
    "Saturation",
    "Step",
    "shortened",
]

# The transformers are compared with the first, peers and formats with both.
MODEL = "cifar10"
MODELS = (MODEL, "cifar10-resnet")
RATE = 100
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
# Numbers of clients for peers and formats.
FEW_CLIENTS = (1, 4, 8, 32)
# Images in a request, where there are several, for the peers.
SEVERAL = 8
KINDS = (("png", (32, 32)), ("jpeg", (640, 480)))


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
    """A load with a payload, for a model behind the named subjects."""

    model: str
    load: Load
    payload: Payload
    subjects: tuple[str, ...]


def _full() -> tuple[Step, ...]:
    steps: dict[tuple[str, str, str], Step] = {}
    for step in (*_transformers(), *(each for model in MODELS for each in _peers(model))):
        key = (step.model, str(step.load), str(step.payload))
        before = steps.get(key, step)
        names = dict.fromkeys((*before.subjects, *step.subjects))
        steps[key] = replace(before, subjects=tuple(names))
    # A server without a bound on its queue works on what saturated it long afterwards.
    return tuple(sorted(steps.values(), key=_last))


def _last(step: Step) -> tuple[int, bool]:
    return MODELS.index(step.model), isinstance(step.load, Saturation)


def _transformers() -> tuple[Step, ...]:
    rate, standard = Rate(RATE, 8), Payload(1)
    loads: tuple[tuple[Load, Payload], ...] = (
        *((rate, Payload(1, kind, *size)) for kind, size in KINDS),
        (rate, Payload(SEVERAL)),
        (Saturation(50, 2.5, 5), standard),
        *((Clients(count, 1.5), standard) for count in CLIENTS),
        *(
            (Clients(1, 1.5), Payload(images, kind, *size))
            for images, (kind, size) in product((1, SEVERAL, 64), KINDS)
            if Payload(images, kind, *size) != standard
        ),
    )
    return tuple(Step(MODEL, load, payload, TRANSFORMERS) for load, payload in loads)


def _peers(model: str) -> tuple[Step, ...]:
    loads: tuple[Load, ...] = (
        Rate(RATE, 8),
        *(Clients(count, 1.5) for count in FEW_CLIENTS),
    )
    single = (Step(model, load, Payload(1), PEERS + FORMATS) for load in loads)
    several = (Step(model, Clients(count, 1.5), Payload(SEVERAL), PEERS) for count in (1, SEVERAL))
    return (*single, *several)


FULL = _full()
# On the model of the local stack, with one peer.
QUICK = (
    Step(
        "digits",
        Rate(RATE, 2),
        Payload(1),
        ("triton-binary", "sdk-json", "sdk-grpc", "ours-http", "ours-grpc", "fastapi"),
    ),
)


def shortened(steps: Sequence[Step], seconds: float | None) -> list[Step]:
    """The same steps with other durations."""
    if seconds is None:
        return list(steps)
    return [replace(step, load=replace(step.load, seconds=seconds)) for step in steps]
