"""The charts of a load test, as SVG. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log10
from statistics import median
from typing import TYPE_CHECKING

from jobs.report.seed import SEED, SEED_REQUESTS
from jobs.report.svg import Axis, Plot, bounds, shown, ticks
from jobs.report.words import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.load.results import Result, Second

__all__ = ["Span", "latency_chart", "percentile_chart", "rate_chart", "spans"]

NINES = ((0, "0"), (50, "50"), (90, "90"), (99, "99"), (99.9, "99.9"), (99.99, "99.99"))
LAST_DECADE = 4.0
# An objective that is further above than this would press everything else to the ground.
HEADROOM = 1.6


@dataclass(frozen=True)
class Span:
    """Some seconds of a run as one: rates, the median p50, the highest p99 and maximum."""

    start: float
    end: float
    rate: float
    error_rate: float
    p50: float | None
    p99: float | None
    max: float | None

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


def spans(result: Result, most: int) -> list[Span]:
    """At most so many spans, all of the same number of whole seconds but for the last."""
    if not result.seconds:
        return []
    seconds = {each.second: each for each in result.seconds}
    width = max(1, ceil((max(seconds) + 1) / most))
    groups: dict[int, list[Second]] = {}
    for number, each in seconds.items():
        groups.setdefault(number // width, []).append(each)
    return [_span(groups[at], at * width, width, result) for at in sorted(groups)]


def percentile_chart(
    result: Result, previous: Result | None, key: str, size: tuple[int, int]
) -> str:
    """Latency by percentile, each further nine as wide as the one before; with the seed's marks."""
    plot = Plot(key, size, "Latency by percentile", _percentiles_said(result))
    lines = [(each.distribution, each.requests, kind) for each, kind in _runs(result, previous)]
    marks = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0}
    seed = [(share, SEED[name]) for name, share in marks.items()]
    seed.append((100 * (1 - 1 / SEED_REQUESTS), SEED["max"]))
    values = [ms for line, _, _ in lines for _, ms in line] + [ms for _, ms in seed]
    across = Axis(0.0, LAST_DECADE, plot.left, plot.right - 8)
    up, objective = _upwards(plot, values, result)
    narrow = plot.width < 500
    places = [(across.at(_nines(p)), said) for p, said in NINES if not (narrow and p == 50)]
    plot.sideways(places, "percentile of requests, %")
    for points, count, kind in reversed(lines):
        shares = [(min(_nines(share), log10(max(count, 1))), ms) for share, ms in points]
        plot.path([(across.at(nines), up.at(ms)) for nines, ms in shares], kind)
    for share, ms in seed:
        plot.diamond(across.at(_nines(share)), up.at(ms), "seed")
    if objective is not None:
        plot.rule(plot.left, objective, across.at(2.0), objective, "objective")
    return plot.done()


def latency_chart(result: Result, parts: Sequence[Span], key: str, size: tuple[int, int]) -> str:
    """p50, p99 and maximum over the time of the run."""
    plot = Plot(key, size, "Latency over time", _latency_said(parts))
    across = _time(plot, result, parts)
    values = [ms for part in parts for ms in (part.p50, part.p99, part.max) if ms is not None]
    up, objective = _upwards(plot, values, result)
    for kind in ("max", "p99", "p50"):
        line = ((part.middle, getattr(part, kind)) for part in parts)
        plot.path([None if ms is None else (across.at(at), up.at(ms)) for at, ms in line], kind)
    if objective is not None:
        plot.rule(plot.left, objective, plot.right, objective, "objective")
    return plot.done()


def rate_chart(result: Result, parts: Sequence[Span], key: str, size: tuple[int, int]) -> str:
    """Requests sent a second, and those of them that failed, over the time of the run."""
    plot = Plot(key, size, "Rate over time", _rate_said(result, parts))
    across = _time(plot, result, parts)
    high = max([1.0, result.asked_rate, *(part.rate for part in parts)]) * 1.05
    up = Axis(0.0, ticks(0.0, high)[-1], plot.bottom, plot.top + 8)
    plot.upwards(up, "requests/s")
    for part in parts:
        left, right, ground = across.at(part.start), across.at(part.end), up.at(0)
        for rate, kind in ((part.rate, "sent"), (part.error_rate, "failed")):
            if rate > 0:
                box = {"x": left, "y": up.at(rate), "width": right - left}
                sized = box | {"height": ground - up.at(rate)}
                drawn = {name: f"{value:g}" for name, value in sized.items()}
                plot.add("rect", drawn | {"class": kind})
    asked = up.at(result.asked_rate)
    plot.rule(plot.left, asked, plot.right, asked, "objective")
    return plot.done()


def _span(inside: Sequence[Second], start: int, width: int, result: Result) -> Span:
    end = float(start + width)
    # The last second of 2.5 is half a one.
    end = result.asked_seconds if start < result.asked_seconds < end else end
    known = {
        name: [ms for each in inside if (ms := getattr(each, name)) is not None]
        for name in ("p50", "p99", "max")
    }
    return Span(
        start=float(start),
        end=end,
        rate=sum(each.requests for each in inside) / (end - start),
        error_rate=sum(each.errors for each in inside) / (end - start),
        p50=median(known["p50"]) if known["p50"] else None,
        p99=max(known["p99"], default=None),
        max=max(known["max"], default=None),
    )


def _runs(result: Result, previous: Result | None) -> Iterator[tuple[Result, str]]:
    yield result, "curve"
    if previous:
        yield previous, "previous"


def _nines(share: float) -> float:
    """90 % is 1, 99 % is 2; all of them is what no axis reaches."""
    return log10(100 / (100 - share)) if share < 100 else LAST_DECADE


def _upwards(plot: Plot, values: Sequence[float], result: Result) -> tuple[Axis, float | None]:
    """The axis of latencies, and the height of the p99 objective where the axis reaches it."""
    wanted = next((each.wanted for each in result.findings if each.name == "p99_ms"), None)
    within = wanted is not None and wanted <= HEADROOM * max(values, default=0)
    up = bounds(values, plot.bottom, plot.top + 8, least=wanted if wanted and within else 0)
    plot.upwards(up, "ms")
    if wanted is None:
        return up, None
    said = f"p99 objective {shown(wanted)} ms{'' if within else ', above ↑'}"
    plot.text(plot.right, 9, said, "end", "note")
    return up, up.at(wanted) if within else None


def _time(plot: Plot, result: Result, parts: Sequence[Span]) -> Axis:
    end = max([result.asked_seconds, *(part.end for part in parts), 1e-3])
    across = Axis(0.0, end, plot.left, plot.right - 8)
    marks = [at for at in ticks(0.0, end) if at <= end * 1.001]
    plot.sideways([(across.at(at), shown(at)) for at in marks], "seconds")
    return across


def _percentiles_said(result: Result) -> str:
    names = (("p50", "half"), ("p99", "99 %"), ("max", "all"))
    said = ", ".join(f"{word} within {milliseconds(result.latency[name])}" for name, word in names)
    return f"Of {result.requests:,} requests, in milliseconds: {said}. Figures in the table below."


def _latency_said(parts: Sequence[Span]) -> str:
    highest = max(((part.max, part.start) for part in parts if part.max is not None), default=None)
    if highest is None:
        return "Nothing is known of single seconds."
    return f"The slowest request took {milliseconds(highest[0])} ms, after {highest[1]:g} s."


def _rate_said(result: Result, parts: Sequence[Span]) -> str:
    rates = [part.rate for part in parts] or [0.0]
    return (
        f"{result.asked_rate:g} requests/s were asked for; between {min(rates):.4g} and "
        f"{max(rates):.4g} were sent."
    )
