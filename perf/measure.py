"""From every single request of a load test to its figures. Pure."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from perf.job import Load

__all__ = ["Hits", "collect", "figures", "rate_ratio"]

NANOSECONDS = 1e9
MILLISECOND = 1e6
ERRORS_SHOWN = 5
PERCENTILES = (0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.9, 99.99, 100)
# Lower edges in milliseconds; the last bucket has no upper one.
BUCKETS = (
    *(0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75),
    *(100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000),
)


@dataclass
class Hits:
    """What happened, a request at a time: times in nanoseconds, sizes in bytes."""

    at: array[int] = field(default_factory=lambda: array("q"))
    latency: array[int] = field(default_factory=lambda: array("q"))
    sent: int = 0
    received: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def collect(rows: Iterable[list[str]]) -> Hits:
    """From vegeta's CSV: time, status, latency, bytes out, bytes in, error, and more."""
    hits = Hits()
    for row in rows:
        hits.at.append(int(row[0]))
        hits.statuses[row[1]] += 1
        hits.latency.append(int(row[2]))
        hits.sent += int(row[3])
        hits.received += int(row[4])
        if row[5]:
            hits.errors[row[5]] += 1
    return hits


def figures(hits: Hits, job: Load) -> dict[str, Any]:
    """What result.json says of the requests. `hits` must not be empty."""
    count = len(hits.at)
    good = hits.statuses["200"]
    began = min(hits.at)
    ended = max(at + took for at, took in zip(hits.at, hits.latency, strict=True))
    return {
        "requests": count,
        "duration_seconds": (max(hits.at) - began) / NANOSECONDS,
        "rate": {
            "asked": job.rate,
            "achieved": _rate(hits),
            "ratio": rate_ratio(hits, job),
            "throughput": good / max((ended - began) / NANOSECONDS, 1e-9),
        },
        "success_ratio": good / count,
        "latency_ms": _latencies(np.asarray(hits.latency, dtype=np.float64) / MILLISECOND),
        "status_codes": dict(sorted(hits.statuses.items())),
        "errors": [
            {"error": error, "count": times}
            for error, times in hits.errors.most_common(ERRORS_SHOWN)
        ],
        "bytes": {"sent": hits.sent, "received": hits.received},
    }


def rate_ratio(hits: Hits, job: Load) -> float:
    """How much of the asked rate was kept: by count and by pace, whichever is less, 1 at most."""
    by_count = len(hits.at) / (job.rate * job.duration_seconds)
    return min(1.0, by_count, _rate(hits) / job.rate if len(hits.at) > 1 else 1.0)


def _rate(hits: Hits) -> float:
    """Requests a second from the first one's start to the last one's."""
    span = (max(hits.at) - min(hits.at)) / NANOSECONDS
    return (len(hits.at) - 1) / span if span else 0.0


def _latencies(values: NDArray[Any]) -> dict[str, Any]:
    """Percentiles are latencies that were seen: the least that the share doesn't exceed."""
    values.sort()
    # Rounded, since 99.9 % of 1000 is 999.0000000000001 in floating point.
    ranks = [ceil(round(len(values) * share / 100, 6)) for share in PERCENTILES]
    found = [float(values[max(rank, 1) - 1]) for rank in ranks]
    at = dict(zip(PERCENTILES, found, strict=True))
    counts, _ = np.histogram(values, [*BUCKETS, np.inf])
    return {
        "min": at[0],
        "mean": float(values.mean()),
        "p50": at[50],
        "p90": at[90],
        "p95": at[95],
        "p99": at[99],
        "p99_9": at[99.9],
        "max": at[100],
        "distribution": [{"percentile": share, "ms": took} for share, took in at.items()],
        "histogram": [
            {"from_ms": low, "to_ms": high, "count": int(number)}
            for low, high, number in zip(BUCKETS, [*BUCKETS[1:], None], counts, strict=True)
        ],
    }
