"""Figures of a load, and the search for the highest rate. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.load.metrics import latencies, percentiles, throughput

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from jobs.load.metrics import Hits

__all__ = ["SHARES", "Figures", "LoadResult", "distribution", "highest"]

# Per cent of requests; an axis of percentiles has steps that each leave a tenth.
SHARES = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 100)


@dataclass(frozen=True)
class LoadResult:
    """Latencies of good answers in milliseconds, and the number of other requests.

    `latencies` count from when a request was due, `service` from when it was sent.
    """

    latencies: NDArray[np.float64]
    service: NDArray[np.float64]
    failed: int
    throughput: float

    @classmethod
    def of(cls, hits: Hits, rate: int | None) -> LoadResult:
        """The result of an open loop at `rate`, or of a closed loop."""
        good = np.asarray(hits.good, np.bool_)
        latency, service = latencies(hits, rate)
        return cls(latency[good], service[good], int((~good).sum()), throughput(hits))

    @property
    def sent(self) -> int:
        """The number of all requests."""
        return len(self.latencies) + self.failed


@dataclass(frozen=True)
class Figures:
    """Figures of one run, or medians of several.

    CPU is seconds per thousand good answers, memory the peak of all processes in MiB;
    `distribution_ms` has a latency for each of SHARES; `service_ms` is the mean from the send.
    """

    throughput: float
    success_ratio: float
    mean_ms: float
    service_ms: float
    distribution_ms: tuple[float, ...]
    cpu: float
    triton_cpu: float
    peak_mib: float
    triton_peak_mib: float

    def at(self, share: float) -> float:
        """The latency that `share` per cent of requests did not exceed."""
        return self.distribution_ms[SHARES.index(share)]

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return self.at(99)


def distribution(latencies: NDArray[np.float64]) -> tuple[float, ...]:
    """A percentile for each of SHARES; zeros without an answer."""
    return tuple(percentiles(latencies, SHARES)) if len(latencies) else (0.0,) * len(SHARES)


def highest(holds: Callable[[float], bool], low: float, high: float, steps: int) -> float:
    """Bisect [low, high] in `steps` steps for the highest value that holds; 0 if `low` doesn't.

    `high` is assumed not to hold, and every value below one that holds to hold.
    """
    if not holds(low):
        return 0.0
    for _ in range(steps):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
