"""Goals of our transformer, each as a ratio of two cells of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from measure.bench.serving.loads import RATE
from measure.bench.serving.payloads import Payload
from measure.bench.serving.results import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from measure.bench.serving.results import Cell, Results

__all__ = ["GOALS", "GROSS", "Goal", "ratio"]


@dataclass(frozen=True)
class Goal:
    """The ratio of `read` of two cells, and its bound; without a `limit` it is only reported."""

    title: str
    ours: Key
    other: Key
    read: Callable[[Key, Cell], float]
    limit: float | None = None
    at_most: bool = True

    def found(self, results: Results) -> float | None:
        """The ratio; None unless both cells were measured in one run."""
        return ratio(results, self.ours, self.other, self.read)

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


ONE, MANY = str(Payload(1)), str(Payload(64))


def _steady(subject: str) -> Key:
    return Key(f"rate{RATE}", ONE, subject)


def _saturated(subject: str) -> Key:
    return Key("saturation", ONE, subject)


def _alone(clients: int) -> Key:
    return Key(f"clients{clients}", ONE, "ours-http")


OURS = _steady("ours-http")
BATCH = Key("clients1", MANY, "ours-http")
GOALS = (
    Goal("mean, to the SDK's JSON", OURS, _steady("sdk-json"), mean, 0.45),
    Goal("p99, to the SDK's JSON", OURS, _steady("sdk-json"), p99, 0.5),
    Goal("mean, to the SDK's gRPC", OURS, _steady("sdk-grpc"), mean, 0.8),
    Goal("mean, to Triton's own binary", OURS, _steady("triton-binary"), mean, 1.65),
    Goal(
        "requests/s at saturation, to the SDK's JSON",
        _saturated("ours-http"),
        _saturated("sdk-json"),
        images_a_second,
        3,
        False,
    ),
    Goal(
        "images/s, 64 in one request to 64 one by one", BATCH, _alone(1), images_a_second, 5, False
    ),
    Goal("images/s, 64 in one request to 64 at once", BATCH, _alone(64), images_a_second),
)
# Limits of the quick run's exit status, which noise does not exceed.
GROSS = (
    Goal("mean, to the SDK's JSON", OURS, _steady("sdk-json"), mean, 0.9),
    Goal("mean, to Triton's own binary", OURS, _steady("triton-binary"), mean, 2.5),
)
