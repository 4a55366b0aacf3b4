"""One attempt at a rate, and whether the objective held. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.load.schedule import lateness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from infra.config import Objectives

__all__ = ["Hits", "Trial", "judged"]

MILLISECOND, SECOND = 1e6, 1e9


@dataclass(frozen=True)
class Hits:
    """Request by request, in nanoseconds: when it was sent, how long it took; and if it was good.

    Never empty.
    """

    at: NDArray[Any]
    took: NDArray[Any]
    good: NDArray[Any]


@dataclass(frozen=True)
class Trial:
    """What came of a rate: latencies count from when requests were due, not from when they left.

    `why` is empty where the objective held.
    """

    asked: int
    throughput: float
    success_ratio: float
    p50_ms: float
    p99_ms: float
    why: str = ""

    @property
    def held(self) -> bool:
        """p99 under the objective, every answer good, and the rate kept."""
        return not self.why

    def __str__(self) -> str:
        said = f"{self.asked}/s: p99 {self.p99_ms:.1f} ms"
        return f"{said}, {self.why}" if self.why else f"{said}, holds"


def judged(hits: Hits, rate: int, seconds: float, objectives: Objectives) -> Trial:
    """A trial's figures, and the first reason for which it doesn't hold."""
    latency = (hits.took + lateness(hits.at, rate)) / MILLISECOND
    # The least latency that was seen and that 99 % didn't exceed.
    p50, p99 = (float(np.percentile(latency, share, method="inverted_cdf")) for share in (50, 99))
    good = float(hits.good.mean())
    ended = float((hits.at + hits.took).max() - hits.at.min()) / SECOND
    sent = float(hits.at.max() - hits.at.min()) / SECOND
    kept = min(len(hits.at) / (rate * seconds), seconds / max(sent, 1e-9))
    why = ""
    if good < 1:
        why = f"{1 - good:.1%} failed"
    elif kept < objectives.rate_ratio:
        why = "the rate was not kept"
    elif p99 > objectives.p99_ms:
        why = f"above {objectives.p99_ms:g} ms"
    return Trial(rate, float(hits.good.sum()) / max(ended, 1e-9), good, p50, p99, why)
