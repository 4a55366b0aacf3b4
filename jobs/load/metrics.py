"""Metrics of a load, from every single request of it. Pure.

vegeta's latency begins when a request is actually sent. If vegeta is held up, the requests that
were due meanwhile are sent afterwards, to an endpoint that may have recovered, and the time that
they would have waited is missing from all latencies ("coordinated omission"). Latencies here
therefore count from the time when a request was due.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from jobs.config import LoadConfig

__all__ = [
    "Hits",
    "collect",
    "error_kind",
    "latencies",
    "lateness",
    "metrics",
    "most_in_flight",
    "percentiles",
    "rate_ratio",
]

# In nanoseconds.
SECOND, MILLISECOND = 10**9, 10**6
ERRORS_SHOWN = 10
ERROR_CHARACTERS = 300
# Even steps on the axis of the report's plot, log10(1 / (1 - p)), up to p99.99; and p97.5.
PERCENTILES = (
    *(0, 10, 25, 37.5, 50, 62.5, 75, 80, 85, 90, 92.5, 95, 96.25, 97.5, 98, 98.5, 99, 99.25),
    *(99.5, 99.625, 99.75, 99.8, 99.85, 99.9, 99.925, 99.95, 99.975, 99.98, 99.99, 100),
)
NAMED = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99_9": 99.9, "p99_99": 99.99, "max": 100}
# Lower edges in milliseconds; the last bucket has no upper edge.
BUCKETS = (
    *(0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75),
    *(100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000),
)
# The local address of a connection, which differs between equal errors:
# 10.0.0.1:41234->10.0.0.2:80.
_LOCAL_ADDRESS = re.compile(r"(?<!\S)\S+:\d+->")


@dataclass
class Hits:
    """Requests and their answers (vegeta's "hits"), as columns.

    `at` is when a request was sent and `latency` the time from then to its answer, in nanoseconds;
    `good` is 1 for status 200, or OK over gRPC. `sent` is bytes of bodies. `limit` is how many may
    wait for an answer at a time; None: any number.
    """

    at: array[int] = field(default_factory=lambda: array("q"))
    latency: array[int] = field(default_factory=lambda: array("q"))
    good: array[int] = field(default_factory=lambda: array("b"))
    sent: int = 0
    limit: int | None = None
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def collect(rows: Iterable[list[str]], into: Hits | None = None) -> Hits:
    """Add rows of vegeta's CSV: time, status, latency, bytes out, bytes in, error, and others."""
    hits = Hits() if into is None else into
    for row in rows:
        hits.at.append(int(row[0]))
        hits.latency.append(int(row[2]))
        hits.good.append(row[1] == "200")
        hits.statuses[row[1]] += 1
        hits.sent += int(row[3])
        if row[1] != "200":
            hits.errors[error_kind(row[5]) or f"status {row[1]}"] += 1
    return hits


def lateness(at: ArrayLike, rate: int) -> NDArray[Any]:
    """How late each request was sent, in nanoseconds, never negative; `at`: when it was sent.

    vegeta's constant pacer (lib/pacer.go) waits a whole number of nanoseconds between requests and
    numbers them in the order of their timestamps, so the n-th request is due n intervals after the
    origin. The origin is not recorded. Each request gives the origin that would make it punctual;
    the earliest of these is used, since the pacer never sends early.
    """
    sent = np.asarray(at, dtype=np.int64)
    order = np.argsort(sent, kind="stable")
    origins = sent[order] - np.arange(len(sent)) * (SECOND // rate)
    late = np.empty_like(sent)
    late[order] = origins - origins.min()
    return late


def latencies(hits: Hits, rate: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Milliseconds of each request: from when it was due, and from when it was sent.

    Both are the same in a closed loop, where no rate is given.
    """
    from_send = np.asarray(hits.latency, dtype=np.float64) / MILLISECOND
    late = lateness(hits.at, rate) / MILLISECOND if rate else 0.0
    return from_send + late, from_send


def most_in_flight(hits: Hits) -> int:
    """The most requests that waited for their answers at the same time."""
    begun = np.sort(np.asarray(hits.at, dtype=np.int64))
    ended = np.sort(np.asarray(hits.at, dtype=np.int64) + np.asarray(hits.latency, dtype=np.int64))
    # At the start of each: those that have begun, itself included, without those that have ended.
    open_then = np.arange(1, len(begun) + 1) - np.searchsorted(ended, begun, side="right")
    return int(open_then.max())


def throughput(hits: Hits) -> float:
    """Good answers a second, from the first request to the last answer."""
    ended = max(at + took for at, took in zip(hits.at, hits.latency, strict=True))
    return sum(hits.good) / max((ended - min(hits.at)) / SECOND, 1e-9)


def metrics(hits: Hits, config: LoadConfig) -> dict[str, Any]:
    """The part of result.json about requests. `hits` must not be empty."""
    latency, service = latencies(hits, config.rate)
    late = lateness(hits.at, config.rate) / MILLISECOND
    return {
        "requests": len(hits.at),
        "duration_seconds": (max(hits.at) - min(hits.at)) / SECOND,
        "rate": {
            "asked": config.rate,
            "achieved": _achieved_rate(hits),
            "ratio": rate_ratio(hits, config.rate, config.duration_seconds),
            "throughput": throughput(hits),
        },
        "success_ratio": sum(hits.good) / len(hits.good),
        "latency_ms": _distribution(latency),
        "service_ms": {"mean": float(service.mean())} | _named(service, **NAMED),
        "lateness_ms": {"mean": float(late.mean())} | _named(late, p50=50, p99=99, max=100),
        "most_in_flight": most_in_flight(hits),
        "over_time": _over_time(hits, latency, config.duration_seconds),
        "status_codes": dict(sorted(hits.statuses.items())),
        "errors": [
            {"error": error, "count": count}
            for error, count in hits.errors.most_common(ERRORS_SHOWN)
        ],
        "error_kinds": len(hits.errors),
        "sent_bytes": hits.sent,
    }


def rate_ratio(hits: Hits, rate: int, seconds: float) -> float:
    """The part of the rate that was kept, by count or by pace, whichever is less; at most 1."""
    by_pace = _achieved_rate(hits) / rate if len(hits.at) > 1 else 1.0
    return min(1.0, len(hits.at) / (rate * seconds), by_pace)


def percentiles(values: NDArray[Any], shares: Iterable[float]) -> list[float]:
    """Nearest-rank percentiles: the least value that so many per cent of all don't exceed."""
    ordered = np.sort(values)
    # Rounded, since 99.9 % of 1000 is 999.0000000000001 in floating point.
    ranks = [ceil(round(len(ordered) * share / 100, 6)) for share in shares]
    return [float(ordered[max(rank, 1) - 1]) for rank in ranks]


def _named(values: NDArray[Any], **shares: float) -> dict[str, float]:
    return dict(zip(shares, percentiles(values, shares.values()), strict=True))


def error_kind(error: str) -> str:
    """An error as it is counted: on one line, without the local address of its connection.

    Characters that could end a line or reverse the direction of the text after them are replaced.
    """
    text = _LOCAL_ADDRESS.sub("", error[:ERROR_CHARACTERS])
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _achieved_rate(hits: Hits) -> float:
    """Requests a second from the start of the first to the start of the last."""
    span = (max(hits.at) - min(hits.at)) / SECOND
    return (len(hits.at) - 1) / span if span else 0.0


def _distribution(values: NDArray[Any]) -> dict[str, Any]:
    at = dict(zip(PERCENTILES, percentiles(values, PERCENTILES), strict=True))
    counts, _ = np.histogram(values, [*BUCKETS, np.inf])
    return {
        "min": at[0],
        "mean": float(values.mean()),
        **{name: at[share] for name, share in NAMED.items()},
        "distribution": [{"percentile": share, "ms": value} for share, value in at.items()],
        "histogram": [
            {"from_ms": low, "to_ms": high, "count": int(number)}
            for low, high, number in zip(BUCKETS, [*BUCKETS[1:], None], counts, strict=True)
        ],
    }


def _over_time(hits: Hits, latency: NDArray[Any], seconds: float) -> list[dict[str, Any]]:
    """Metrics of each second, by when requests were sent; latencies are null without requests."""
    sent, good = np.asarray(hits.at, dtype=np.int64), np.asarray(hits.good)
    # The last requests may be some milliseconds late; they belong to the last second.
    second = np.minimum((sent - sent.min()) // SECOND, ceil(seconds) - 1)
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
