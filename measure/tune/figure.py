"""Throughput against p99, a line for each point of the grid. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.report.plot import Series, linear, logarithmic, plot

if TYPE_CHECKING:
    from measure.tune.report import Outcome
    from measure.tune.search import Measured

__all__ = ["draw"]

# The axis of p99 ends at this multiple of the objective; higher values are drawn at its end.
CLIPPED = 10.0


def draw(outcome: Outcome) -> str:
    """An SVG document: the trials of each point from the lowest rate to the highest."""
    most = outcome.objective_ms * CLIPPED
    lines = [
        Series(str(each.knobs), _trials(each, most), "pale", dots=True, listed=False)
        for each in outcome.points
        if each.knobs not in (outcome.present, outcome.winner and outcome.winner.knobs)
    ]
    if not outcome.keeps:
        lines += _highlighted("now", outcome.now, "orange", most)
    if outcome.winner:
        title = "now, and best" if outcome.keeps else "best"
        lines += _highlighted(title, outcome.winner, "blue", most)
    x = linear("good answers a second", [a for each in lines for a, _ in each.points])
    objective = [(0.0, outcome.objective_ms), (x.ticks[-1], outcome.objective_ms)]
    name = f"objective: p99 {outcome.objective_ms:g} ms"
    lines.append(Series(name, objective, "red", "6 4"))
    y = logarithmic("ms", [b for each in lines for _, b in each.points if b is not None])
    title = f"{outcome.facts['model']}: p99 over throughput, by setting"
    return plot(title, lines, x, y, (820, 480))


def _highlighted(title: str, point: Measured, colour: str, most: float) -> list[Series]:
    """A point's trials, and the highest rate that held."""
    name = f"{title}: {point.knobs}; {point.rate:.0f}/s, p99 {point.p99_ms:.1f} ms"
    best = [(point.rate, min(point.p99_ms, most))] if point.rate else []
    return [
        Series(name, _trials(point, most), colour, dots=True),
        Series(name, best, colour, line=False, dots=True, dot_size=6, listed=False),
    ]


def _trials(point: Measured, most: float) -> list[tuple[float, float]]:
    trials = sorted(point.trials, key=lambda each: (each.asked, each.p99_ms))
    return [(each.throughput, min(each.p99_ms, most)) for each in trials]
