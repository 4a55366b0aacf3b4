"""From every single request of a load test to its figures. Pure."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.load.schedule import lateness

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from jobs.config import Load

__all__ = ["Hits", "collect", "figures", "percentiles", "rate_ratio"]

NANOSECONDS = 1e9
MILLISECOND = 1e6
ERRORS_SHOWN = 10
ERROR_CHARACTERS = 300
# Even steps on the axis that percentiles are drawn on, log10(1 / (1 - p)), to p99.99; and p97.5.
PERCENTILES = (
    *(0, 10, 25, 37.5, 50, 62.5, 75, 80, 85, 90, 92.5, 95, 96.25, 97.5, 98, 98.5, 99, 99.25),
    *(99.5, 99.625, 99.75, 99.8, 99.85, 99.9, 99.925, 99.95, 99.975, 99.98, 99.99, 100),
)
NAMED = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99_9": 99.9, "p99_99": 99.99, "max": 100}
# Lower edges in milliseconds; the last bucket has no upper one.
BUCKETS = (
    *(0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75),
    *(100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000),
)
# A connection's own port, which tells apart what is the same error: 10.0.0.1:41234->10.0.0.2:80.
_OWN_ADDRESS = re.compile(r"(?<!\S)\S+:\d+->")


@dataclass
class Hits:
    """What happened, a request at a time: times in nanoseconds, sizes in bytes.

    `at` is when it was sent, `latency` how long it took from then, `good` 1 for status 200.
    """

    at: array[int] = field(default_factory=lambda: array("q"))
    latency: array[int] = field(default_factory=lambda: array("q"))
    good: array[int] = field(default_factory=lambda: array("b"))
    sent: int = 0
    received: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def collect(rows: Iterable[list[str]], into: Hits | None = None) -> Hits:
    """From vegeta's CSV: time, status, latency, bytes out, bytes in, error, and more."""
    hits = Hits() if into is None else into
    for row in rows:
        hits.at.append(int(row[0]))
        hits.latency.append(int(row[2]))
        hits.good.append(row[1] == "200")
        hits.statuses[row[1]] += 1
        hits.sent += int(row[3])
        hits.received += int(row[4])
        if row[1] != "200":
            hits.errors[_kind(row[5]) or f"status {row[1]}"] += 1
    return hits


def figures(hits: Hits, job: Load) -> dict[str, Any]:
    """What result.json says of the requests. `hits` must not be empty."""
    count = len(hits.at)
    good = hits.statuses["200"]
    began = min(hits.at)
    ended = max(at + took for at, took in zip(hits.at, hits.latency, strict=True))
    late = lateness(hits.at, job.rate) / MILLISECOND
    service = np.asarray(hits.latency, dtype=np.float64) / MILLISECOND
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
        "latency_ms": _latencies(service + late),
        "service_ms": {"mean": float(service.mean())} | _named(service, **NAMED),
        "lateness_ms": _named(late, p99=99, max=100),
        "over_time": _over_time(hits, service + late, job),
        "status_codes": dict(sorted(hits.statuses.items())),
        "errors": [
            {"error": error, "count": times}
            for error, times in hits.errors.most_common(ERRORS_SHOWN)
        ],
        "error_kinds": len(hits.errors),
        "bytes": {"sent": hits.sent, "received": hits.received},
    }


def rate_ratio(hits: Hits, job: Load) -> float:
    """How much of the asked rate was kept: by count and by pace, whichever is less, 1 at most."""
    by_count = len(hits.at) / (job.rate * job.duration_seconds)
    return min(1.0, by_count, _rate(hits) / job.rate if len(hits.at) > 1 else 1.0)


def percentiles(values: NDArray[Any], shares: Iterable[float]) -> list[float]:
    """Latencies that were seen: for each share, the least that it doesn't exceed."""
    ordered = np.sort(values)
    # Rounded, since 99.9 % of 1000 is 999.0000000000001 in floating point.
    ranks = [ceil(round(len(ordered) * share / 100, 6)) for share in shares]
    return [float(ordered[max(rank, 1) - 1]) for rank in ranks]


def _named(values: NDArray[Any], **shares: float) -> dict[str, float]:
    return dict(zip(shares, percentiles(values, shares.values()), strict=True))


def _kind(error: str) -> str:
    return _OWN_ADDRESS.sub("", error[:ERROR_CHARACTERS])


def _rate(hits: Hits) -> float:
    """Requests a second from the first one's start to the last one's."""
    span = (max(hits.at) - min(hits.at)) / NANOSECONDS
    return (len(hits.at) - 1) / span if span else 0.0


def _latencies(values: NDArray[Any]) -> dict[str, Any]:
    at = dict(zip(PERCENTILES, percentiles(values, PERCENTILES), strict=True))
    counts, _ = np.histogram(values, [*BUCKETS, np.inf])
    return {
        "min": at[0],
        "mean": float(values.mean()),
        **{name: at[share] for name, share in NAMED.items()},
        "distribution": [{"percentile": share, "ms": took} for share, took in at.items()],
        "histogram": [
            {"from_ms": low, "to_ms": high, "count": int(number)}
            for low, high, number in zip(BUCKETS, [*BUCKETS[1:], None], counts, strict=True)
        ],
    }


def _over_time(hits: Hits, latency: NDArray[Any], job: Load) -> list[dict[str, Any]]:
    """A second at a time, by when requests were sent: those of a second that had none are null."""
    sent, good = np.asarray(hits.at, dtype=np.int64), np.asarray(hits.good)
    last = ceil(job.duration_seconds) - 1
    # The very last requests may be some milliseconds late, which makes no second of its own.
    second = np.minimum((sent - sent.min()) // int(NANOSECONDS), last)
    order = np.argsort(second, kind="stable")
    bounds = np.cumsum(np.bincount(second))[:-1]
    parts = zip(
        np.split(latency[order].round(3), bounds), np.split(good[order], bounds), strict=True
    )
    found = []
    for number, (took, fine) in enumerate(parts):
        shown: dict[str, float | None] = dict.fromkeys(("p50", "p99", "max"))
        if len(took):
            shown |= _named(took, p50=50, p99=99, max=100)
        errors = len(fine) - int(fine.sum())
        found.append({"second": number, "requests": len(took), "errors": errors, **shown})
    return found
