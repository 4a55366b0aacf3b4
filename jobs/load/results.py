"""result.json, the result of a load test, as frozen values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from jobs.load.verdict import Finding  # noqa: TC001 (decode evaluates the annotations)
from release.decode import decode, instance

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LATENCIES", "SCHEMA", "Result", "ResultError", "Second"]

SCHEMA = 4
LATENCIES = ("mean", "p50", "p90", "p95", "p99", "p99_9", "p99_99", "max")


class ResultError(Exception):
    """A file is not the result of a load test; the message is one line."""


@dataclass(frozen=True)
class Asked:
    """What the configuration asked for."""

    rate: int
    duration_seconds: float
    timeout_seconds: float


@dataclass(frozen=True)
class Rate:
    """Requests a second: asked, sent, and answered well; `ratio` is the part that was kept."""

    asked: int
    achieved: float
    ratio: float
    throughput: float


@dataclass(frozen=True)
class Latencies:
    """Milliseconds."""

    mean: float
    p50: float
    p90: float
    p95: float
    p99: float
    p99_9: float
    p99_99: float
    max: float

    @property
    def by_name(self) -> dict[str, float]:
        """By the names of `LATENCIES`."""
        return {name: getattr(self, name) for name in LATENCIES}


@dataclass(frozen=True)
class Point:
    """A percentile."""

    percentile: float
    ms: float


@dataclass(frozen=True)
class Bucket:
    """Requests of a range of latencies; the last one has no upper edge."""

    from_ms: float
    to_ms: float | None
    count: int


@dataclass(frozen=True)
class Distribution(Latencies):
    """All latencies."""

    min: float
    distribution: tuple[Point, ...]
    histogram: tuple[Bucket, ...]


@dataclass(frozen=True)
class Lateness:
    """Milliseconds from when a request was due to when it was sent: the generator's own share."""

    mean: float
    p50: float
    p99: float
    max: float


@dataclass(frozen=True)
class Second:
    """Requests sent in a second of the run, and their latencies in ms, None without requests."""

    second: int
    requests: int
    errors: int
    p50: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True)
class ErrorCount:
    """An error, and how often it was."""

    error: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """`latency_ms` counts from when a request was due, `service_ms` from when it was sent.

    `payloads` describes the requests, and `sent_bytes` counts their bodies. `most_in_flight` is how
    many waited for their answers at the same time, at most. `status_codes` has counts by HTTP
    status, 0 where there was no answer, or by gRPC status.
    """

    schema: Literal[4]
    model: str
    release_digest: str
    format: str
    target: str
    url: str
    payloads: str
    started: str
    asked: Asked
    requests: int
    duration_seconds: float
    rate: Rate
    success_ratio: float
    latency_ms: Distribution
    service_ms: Latencies
    lateness_ms: Lateness
    most_in_flight: int
    over_time: tuple[Second, ...]
    status_codes: dict[str, int]
    errors: tuple[ErrorCount, ...]
    error_kinds: int
    sent_bytes: int
    verdict: Literal["pass", "fail", "invalid"]
    why: str | None
    objectives: tuple[Finding, ...]

    @classmethod
    def parse(cls, text: bytes, place: str) -> Result:
        """Parse JSON. Raises ResultError that names the first invalid field."""
        return _read(lambda: decode(cls, text), place)

    @classmethod
    def of(cls, raw: dict[str, Any], place: str) -> Result:
        """Read result.json's object; raises ResultError likewise."""
        return _read(lambda: instance(cls, raw), place)

    @property
    def statuses(self) -> list[tuple[str, int]]:
        """The most frequent first."""
        return sorted(self.status_codes.items(), key=lambda item: -item[1])

    @property
    def facts(self) -> dict[str, str]:
        """What was tested and how, for a page."""
        asked = self.asked
        return {
            "model": self.model,
            "format": self.format,
            "release": self.release_digest,
            "target": self.target,
            "address": self.url,
            "asked": f"{asked.rate} requests/s for {asked.duration_seconds:g} s",
            "timeout": f"{asked.timeout_seconds:g} s",
            "payloads": self.payloads,
            "started": _format_time(self.started),
            "bytes": f"{self.sent_bytes:,} sent",
        }


def _read(read: Callable[[], Result], place: str) -> Result:
    try:
        return read()
    except ValueError as error:
        raise ResultError(f"{place}: {error}; allowed: a load test's result.json") from error


def _format_time(text: str) -> str:
    """In UTC; unchanged if it is not a time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return text
