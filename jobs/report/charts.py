"""The charts of a load test. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import TYPE_CHECKING

from jobs.report.plot import Series, linear, logarithmic, percentiles, plot
from jobs.report.reference import REFERENCE, REFERENCE_REQUESTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.load.results import Result, Second

__all__ = ["Span", "latency_chart", "percentile_chart", "rate_chart", "spans"]

PREVIOUS_DASH, OBJECTIVE_DASH, MAX_DASH = "7 4", "5 4", "2 3"


@dataclass(frozen=True)
class Span:
    """Some seconds of a run: rates, the median of their p50, their highest p99 and maximum."""

    start: float
    end: float
    rate: float
    error_rate: float
    p50: float | None
    p99: float | None
    max: float | None


def spans(result: Result, most: int) -> list[Span]:
    """At most `most` spans of the same number of whole seconds; the last may be shorter."""
    if not result.over_time:
        return []
    seconds = {each.second: each for each in result.over_time}
    width = max(1, ceil((max(seconds) + 1) / most))
    groups: dict[int, list[Second]] = {}
    for number, each in seconds.items():
        groups.setdefault(number // width, []).append(each)
    return [_span(groups[at], at * width, width, result) for at in sorted(groups)]


def percentile_chart(
    result: Result, previous: Result | None, key: str, size: tuple[int, int]
) -> str:
    """Latency by percentile, of this run, the previous one and the reference."""
    series = [Series("this run", _distribution(result), "blue")]
    if previous:
        series.append(Series("previous run", _distribution(previous), "teal", PREVIOUS_DASH))
    shares = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "max": _last(REFERENCE_REQUESTS)}
    reference = [(share, REFERENCE[name]) for name, share in shares.items()]
    series.append(Series("published run", reference, "violet", line=False, dots=True))
    series += _objective(result, 0.0, 99.0)
    x = percentiles("percentile of requests, %")
    return plot("Latency by percentile", series, x, logarithmic("ms", _values(series)), size, key)


def latency_chart(result: Result, parts: Sequence[Span], key: str, size: tuple[int, int]) -> str:
    """p50, p99 and maximum over the time of the run."""
    series = [
        Series(title, _steps(parts, name), colour, dash)
        for name, title, colour, dash in (
            ("max", "slowest", "grey", MAX_DASH),
            ("p99", "99th percentile", "orange", ""),
            ("p50", "median", "blue", ""),
        )
    ]
    series += _objective(result, 0.0, _end(result, parts))
    x = linear("seconds", [_end(result, parts)])
    return plot("Latency over time", series, x, logarithmic("ms", _values(series)), size, key)


def rate_chart(result: Result, parts: Sequence[Span], key: str, size: tuple[int, int]) -> str:
    """Requests sent a second, and those of them that failed, over the time of the run."""
    end = _end(result, parts)
    asked = [(0.0, result.asked.rate), (end, result.asked.rate)]
    series = [
        Series("requests sent", _steps(parts, "rate"), "pale", fill=True),
        Series("of them failed", _steps(parts, "error_rate"), "red", fill=True),
        Series("rate asked for", asked, "text", OBJECTIVE_DASH),
    ]
    x = linear("seconds", [end])
    return plot("Rate over time", series, x, linear("requests/s", _values(series)), size, key)


def _span(inside: Sequence[Second], start: int, width: int, result: Result) -> Span:
    end = float(start + width)
    # The last second of a run of 2.5 s is half a second long.
    end = result.asked.duration_seconds if start < result.asked.duration_seconds < end else end
    measured = {
        name: [ms for each in inside if (ms := getattr(each, name)) is not None]
        for name in ("p50", "p99", "max")
    }
    return Span(
        start=float(start),
        end=end,
        rate=sum(each.requests for each in inside) / (end - start),
        error_rate=sum(each.errors for each in inside) / (end - start),
        p50=median(measured["p50"]) if measured["p50"] else None,
        p99=max(measured["p99"], default=None),
        max=max(measured["max"], default=None),
    )


def _distribution(result: Result) -> list[tuple[float, float]]:
    """The slowest request's percentile depends on how many there were: 100 % has no position."""
    last = _last(result.requests)
    return [(min(each.percentile, last), each.ms) for each in result.latency_ms.distribution]


def _last(requests: int) -> float:
    """The percentile of the slowest of so many requests."""
    return 100 * (1 - 1 / max(requests, 1))


def _objective(result: Result, start: float, end: float) -> list[Series]:
    return [
        Series(
            f"objective: p99 {each.wanted:g} ms",
            [(start, each.wanted), (end, each.wanted)],
            "text",
            OBJECTIVE_DASH,
        )
        for each in result.objectives
        if each.name == "p99_ms"
    ]


def _steps(parts: Sequence[Span], name: str) -> list[tuple[float, float | None]]:
    """A level for each span."""
    return [(at, getattr(part, name)) for part in parts for at in (part.start, part.end)]


def _values(series: Sequence[Series]) -> list[float]:
    return [value for each in series for _, value in each.points if value is not None]


def _end(result: Result, parts: Sequence[Span]) -> float:
    return max([result.asked.duration_seconds, *(part.end for part in parts)])
