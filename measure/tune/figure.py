"""Throughput against p99, as one SVG that needs nothing else, on a light page or a dark one. Pure.

A point's trials are a line, from its lowest rate to its highest. What matters is how far right it
gets below the objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from measure.tune.report import Outcome
    from measure.tune.search import Measured

__all__ = ["draw"]

WIDTH, HEIGHT = 820, 480
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 92, 56
LEGEND, LEGEND_STEP = 44, 18
# Far above the objective it only matters that it is far above.
CLIPPED = 10.0
STYLE = """
svg { font: 13px system-ui, sans-serif; --ink: #1f2328; --soft: #656d76; --grid: #d8dee4;
  --page: #ffffff; --win: #0969da; --now: #bc4c00; --bad: #cf222e }
@media (prefers-color-scheme: dark) { svg { --ink: #e6edf3; --soft: #9198a1; --grid: #30363d;
  --page: #0d1117; --win: #4493f8; --now: #f0883e; --bad: #f85149 } }
text { fill: var(--ink) } .soft { fill: var(--soft) } .grid { stroke: var(--grid) }
.page { fill: var(--page) } polyline { fill: none; stroke: var(--soft); stroke-opacity: .45 }
circle { fill: var(--soft); fill-opacity: .6 } .objective { stroke: var(--bad) }
.bad { fill: var(--bad) } .win polyline { stroke: var(--win); stroke-width: 2.5 }
.win circle, .win text { fill: var(--win) } .now polyline { stroke: var(--now); stroke-width: 2 }
.now circle, .now text { fill: var(--now) } .win polyline, .now polyline { stroke-opacity: 1 }
.win circle, .now circle { fill-opacity: 1 }
"""


@dataclass(frozen=True)
class _Scale:
    """Throughput linear from 0, milliseconds logarithmic."""

    most: float
    low: float
    high: float

    def x(self, rate: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * rate / self.most

    def y(self, ms: float) -> float:
        share = log10(min(max(ms, self.low), self.high) / self.low) / log10(self.high / self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def draw(outcome: Outcome) -> str:
    """The whole document."""
    scale = _scale(outcome)
    title = f"{outcome.facts['model']}: throughput against p99, by setting"
    objective = scale.y(outcome.objective_ms)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text x="{LEFT}" y="22" font-weight="600">{escape(title)}</text>',
        *_axes(scale),
        f'<line class="objective" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{objective:.1f}" '
        f'y2="{objective:.1f}" stroke-dasharray="6 4"/>',
        f'<text class="bad" x="{WIDTH - RIGHT}" y="{objective - 6:.1f}" text-anchor="end">'
        f"objective: p99 {outcome.objective_ms:g} ms</text>",
        *(_line(each, scale, "") for each in outcome.points if not _special(each, outcome)),
        *_marked(outcome, scale),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _scale(outcome: Outcome) -> _Scale:
    trials = [trial for each in outcome.points for trial in each.trials]
    rates = [each.rate for each in outcome.points]
    most = max([*(each.throughput for each in trials), *rates])
    least = min((each.p99_ms for each in trials), default=outcome.objective_ms)
    low = 10.0 ** floor(log10(max(min(least, outcome.objective_ms), 1e-3)))
    return _Scale(max(most, 1.0) * 1.05, low, outcome.objective_ms * CLIPPED)


def _axes(scale: _Scale) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = []
    for rate in _ticks(scale.most):
        x = scale.x(rate)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(
            f'<text class="soft" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{rate:g}</text>'
        )
    powers = range(floor(log10(scale.low)), ceil(log10(scale.high)) + 1)
    marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    for ms in (each for each in marks if scale.low <= each <= scale.high):
        y = scale.y(ms)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(
            f'<text class="soft" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ms:g}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle">'
        "good answers a second</text>"
    )
    parts.append(f'<text class="soft" x="{LEFT - 8}" y="{TOP - 10}" text-anchor="end">ms</text>')
    return parts


def _ticks(most: float) -> list[float]:
    """Round numbers, five or so."""
    raw = most / 5
    power = 10.0 ** floor(log10(raw))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= raw)
    return [step * at for at in range(floor(most / step) + 1)]


def _special(point: Measured, outcome: Outcome) -> bool:
    return point is outcome.winner or point.knobs == outcome.present


def _line(point: Measured, scale: _Scale, inside: str) -> str:
    trials = sorted(point.trials, key=lambda each: (each.asked, each.p99_ms))
    places = [f"{scale.x(each.throughput):.1f},{scale.y(each.p99_ms):.1f}" for each in trials]
    dots = "".join(
        f'<circle cx="{place.partition(",")[0]}" cy="{place.partition(",")[2]}" r="3"/>'
        for place in places
    )
    return (
        f"<g{inside}><title>{escape(str(point.knobs))}</title>"
        f'<polyline points="{" ".join(places)}"/>{dots}</g>'
    )


def _marked(outcome: Outcome, scale: _Scale) -> list[str]:
    """The winner and what the stack has, in colour, named above the plot."""
    shown = [] if outcome.keeps else [(outcome.now, "now", "now")]
    if outcome.winner:
        shown.append((outcome.winner, "win", "now, and best" if outcome.keeps else "best"))
    parts = []
    for place, (point, kind, said) in enumerate(reversed(shown)):
        text = f"{said}: {point.knobs} — {point.rate:.0f}/s, p99 {point.p99_ms:.1f} ms"
        parts.append(_line(point, scale, f' class="{kind}"'))
        if point.rate:
            x, y = scale.x(point.rate), scale.y(point.p99_ms)
            parts.append(f'<g class="{kind}"><circle cx="{x:.1f}" cy="{y:.1f}" r="6"/></g>')
        parts.append(
            f'<g class="{kind}"><text x="{LEFT}" y="{LEGEND + LEGEND_STEP * place}">'
            f"{escape(text)}</text></g>"
        )
    return parts
