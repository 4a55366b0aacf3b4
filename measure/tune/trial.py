"""One attempt at a rate, and whether it held the objectives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.load.metrics import latencies, percentiles, rate_ratio, throughput

if TYPE_CHECKING:
    from infra.config import Objectives
    from jobs.load.metrics import Hits

__all__ = ["Trial", "judge"]


@dataclass(frozen=True)
class Trial:
    """The figures of a rate; latencies count from when requests were due.

    `why` is the first missed objective; empty where the rate held.
    """

    asked: int
    throughput: float
    success_ratio: float
    p50_ms: float
    p99_ms: float
    why: str = ""

    @property
    def held(self) -> bool:
        """Whether p99 was within the objective, every answer good, and the rate kept."""
        return not self.why

    def __str__(self) -> str:
        return f"{self.asked}/s: p99 {self.p99_ms:.1f} ms, {self.why or 'holds'}"


def judge(hits: Hits, rate: int, seconds: float, objectives: Objectives) -> Trial:
    """The trial of a load's requests."""
    latency, _ = latencies(hits, rate)
    p50, p99 = percentiles(latency, (50, 99))
    good = sum(hits.good) / len(hits.good)
    why = ""
    if good < 1:
        why = f"{1 - good:.1%} failed"
    elif rate_ratio(hits, rate, seconds) < objectives.rate_ratio:
        why = "the rate was not kept"
    elif p99 > objectives.p99_ms:
        why = f"above {objectives.p99_ms:g} ms"
    return Trial(rate, throughput(hits), good, p50, p99, why)
