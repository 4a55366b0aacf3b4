"""From the latency of every single request to figures; medians, ratios, the search. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from jobs.load.metrics import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SHARES", "Figures", "Shots", "distribution", "highest", "medians"]

# Per cent of requests: each step of the plots' axis takes a tenth of what is left.
SHARES = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 100)


@dataclass(frozen=True)
class Shots:
    """What one load did: latencies in milliseconds of the requests that were answered well.

    `service` counts from the send: it is without what the load generator's own timer adds.
    """

    latencies: NDArray[np.float64]
    service: NDArray[np.float64]
    failed: int
    seconds: float

    @property
    def sent(self) -> int:
        """All, failed ones too."""
        return len(self.latencies) + self.failed

    @property
    def throughput(self) -> float:
        """Good answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Figures:
    """Of one run, or the medians of several. CPU is in seconds a thousand good answers, memory is
    the peak of all processes in MiB; `distribution` has a latency for each of SHARES; `service` is
    the mean from the send."""

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
        """The latency that this share, in per cent, did not exceed."""
        return self.distribution_ms[SHARES.index(share)]

    @property
    def p99_ms(self) -> float:
        """What objectives are about."""
        return self.at(99)


def distribution(latencies: NDArray[np.float64]) -> tuple[float, ...]:
    """A latency that was seen for each of SHARES; zeros where nothing was answered."""
    return tuple(percentiles(latencies, SHARES)) if len(latencies) else (0.0,) * len(SHARES)


def medians(runs: Sequence[Figures]) -> Figures:
    """Figure by figure, so that one disturbed run disturbs none of them."""

    def of(read: Callable[[Figures], float]) -> float:
        return median(read(run) for run in runs)

    return Figures(
        throughput=of(lambda run: run.throughput),
        success_ratio=of(lambda run: run.success_ratio),
        mean_ms=of(lambda run: run.mean_ms),
        service_ms=of(lambda run: run.service_ms),
        distribution_ms=tuple(
            median(values) for values in zip(*(run.distribution_ms for run in runs), strict=True)
        ),
        cpu=of(lambda run: run.cpu),
        triton_cpu=of(lambda run: run.triton_cpu),
        peak_mib=of(lambda run: run.peak_mib),
        triton_peak_mib=of(lambda run: run.triton_peak_mib),
    )


def highest(holds: Callable[[float], bool], low: float, high: float, steps: int) -> float:
    """The highest of `steps` halvings of [low, high] that holds; 0 when not even `low` does.

    Each step asks once. `high` is taken not to hold, and whatever holds, less does too.
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
