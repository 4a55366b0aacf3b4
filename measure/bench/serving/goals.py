"""Goals of our transformer, each as a ratio of cells of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure.bench.serving.loads import FEW_CLIENTS, MODEL, MODELS, QUICK, RATE, SEVERAL
from measure.bench.serving.payloads import Payload
from measure.bench.serving.results import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure.bench.serving.results import Cell, Results

__all__ = ["GOALS", "GROSS", "RIVALS", "Goal", "ratio"]


@dataclass(frozen=True)
class Goal:
    """The ratio of `read` of a cell to that of the best of others, and its bound.

    Without a `limit` it is only reported.
    """

    title: str
    ours: Key
    others: tuple[Key, ...]
    read: Callable[[Key, Cell], float]
    limit: float | None = None
    at_most: bool = True

    def found(self, results: Results) -> float | None:
        """The ratio; None unless all cells were measured in one run."""
        found = [ratio(results, self.ours, other, self.read) for other in self.others]
        known = [each for each in found if each is not None]
        if len(known) < len(found):
            return None
        return max(known) if self.at_most else min(known)

    def verdict(self, found: float) -> str:
        """Whether a ratio is within the bound."""
        if self.limit is None:
            return ""
        met = found <= self.limit if self.at_most else found >= self.limit
        return "met" if met else "missed"

    def wanted(self) -> str:
        """The bound as text."""
        return "" if self.limit is None else f"{'≤' if self.at_most else '≥'} {self.limit:g}"


def ratio(
    results: Results, ours: Key, other: Key, read: Callable[[Key, Cell], float]
) -> float | None:
    """The ratio of two cells; None unless both were measured in one run."""
    pair = [results.cells.get(key) for key in (ours, other)]
    if None in pair:
        return None
    first, second = (each for each in pair if each)
    if first.run != second.run or not (first.figures and second.figures):
        return None
    below = read(other, second)
    return read(ours, first) / below if below else None


def mean(_: Key, cell: Cell) -> float:
    """Mean latency in ms, from the send: lateness of the generator would hide differences."""
    return cell.figures.service_ms if cell.figures else 0.0


def p99(_: Key, cell: Cell) -> float:
    """99th percentile in ms."""
    return cell.figures.p99_ms if cell.figures else 0.0


def requests_a_second(_: Key, cell: Cell) -> float:
    """Good answers a second."""
    return cell.figures.throughput if cell.figures else 0.0


def images_a_second(key: Key, cell: Cell) -> float:
    """Images of good answers a second."""
    return cell.figures.throughput * Payload.parse(key.payload).images if cell.figures else 0.0


OURS = "ours-http"
# Servers that people would pick instead, each as its documentation starts it.
RIVALS = ("fastapi", "litserve", "bentoml", "ray", "sdk-grpc")
ONE = str(Payload(1))


def _to(
    title: str,
    key: Key,
    others: tuple[str, ...],
    read: Callable[[Key, Cell], float],
    limit: float | None = None,
    at_most: bool = True,
) -> Goal:
    """A goal of our transformer with a load, to the same load of others."""
    keys = tuple(Key(key.model, key.load, key.payload, other) for other in others)
    return Goal(title, key, keys, read, limit, at_most)


def _steady(model: str) -> Key:
    return Key(model, f"rate{RATE}", ONE, OURS)


def _clients(model: str, count: int, images: int = 1) -> Key:
    return Key(model, f"clients{count}", str(Payload(images)), OURS)


def _transformers() -> tuple[Goal, ...]:
    steady, saturated = _steady(MODEL), Key(MODEL, "saturation", ONE, OURS)
    many = _clients(MODEL, 1, 64)
    return (
        _to("mean, to the SDK's JSON", steady, ("sdk-json",), mean, 0.45),
        _to("p99, to the SDK's JSON", steady, ("sdk-json",), p99, 0.5),
        _to("mean, to the SDK's gRPC", steady, ("sdk-grpc",), mean, 0.8),
        _to("mean, to Triton's own binary", steady, ("triton-binary",), mean, 1.65),
        _to(
            "requests/s at saturation, to the SDK's JSON",
            *(saturated, ("sdk-json",), requests_a_second, 3, False),
        ),
        Goal(
            "images/s, 64 in one request to 64 one by one",
            *(many, (_clients(MODEL, 1),), images_a_second, 5, False),
        ),
        Goal(
            "images/s, 64 in one request to 64 at once",
            *(many, (_clients(MODEL, 64),), images_a_second),
        ),
    )


def _peers(model: str, from_clients: int) -> tuple[Goal, ...]:
    """Our transformer to the best of the others, with a bound from so many clients."""
    bound = None if from_clients > 1 else 1.0
    return (
        _to(f"{model}: mean, to the fastest peer's", _steady(model), RIVALS, mean, bound),
        *(
            _to(
                f"{model}: requests/s, clients: {count}, to the fastest peer's",
                *(_clients(model, count), RIVALS, requests_a_second),
                *((1.0, False) if count >= from_clients else (None, False)),
            )
            for count in FEW_CLIENTS
        ),
        _to(
            f"{model}: images/s, {SEVERAL} clients with {SEVERAL} each, to the fastest peer's",
            *(_clients(model, SEVERAL, SEVERAL), RIVALS, images_a_second, 1.0, False),
        ),
    )


# One client with a tiny network is served faster without a server behind the first one.
GOALS = (*_transformers(), *_peers(MODELS[0], 4), *_peers(MODELS[1], 1))
# Limits of the quick run's exit status, which noise does not exceed.
GROSS = (
    _to("mean, to the SDK's JSON", _steady(QUICK[0].model), ("sdk-json",), mean, 0.9),
    _to("mean, to Triton's own binary", _steady(QUICK[0].model), ("triton-binary",), mean, 2.5),
)
