"""Plots of lines as SVG. Pure: numbers in, text out."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Axis", "Line", "linear", "logarithmic", "nines", "plot"]

WIDTH, HEIGHT = 820, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 200, 36, 48
LEGEND_STEP = 20
# Nines that end the axis of percentiles: 99.9 %.
NINES = 3.0


@dataclass(frozen=True)
class Line:
    """`dash` as SVG's stroke-dasharray; points in the axes' units."""

    name: str
    points: tuple[tuple[float, float], ...]
    colour: str
    dash: str = ""


@dataclass(frozen=True)
class Axis:
    """`place` takes a value to 0..1; ticks are values with their labels."""

    title: str
    place: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]


def linear(title: str, most: float) -> Axis:
    """From 0 to somewhat beyond the largest value, in five steps or so."""
    step = _nice(max(most, 1e-9) / 5)
    count = floor(most / step) + 1
    top = step * count
    ticks = tuple((step * at, f"{step * at:g}") for at in range(count + 1))
    return Axis(title, lambda value: value / top, ticks)


def logarithmic(title: str, least: float, most: float) -> Axis:
    """Both positive; ticks at 1, 2 and 5 of each power of ten around them."""
    powers = range(floor(log10(least)) - 1, floor(log10(most)) + 2)
    marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    low = max((mark for mark in marks if mark <= least), default=marks[0])
    high = min(mark for mark in marks if mark > most)
    ticks = tuple((mark, f"{mark:g}") for mark in marks if low <= mark <= high)
    span = log10(high / low)
    return Axis(title, lambda value: log10(value / low) / span, ticks)


def nines(title: str) -> Axis:
    """Of percentiles below 100, as HDR histograms are drawn: each step leaves a tenth."""
    ticks = ((0.0, "0 %"), (50.0, "50 %"), (90.0, "90 %"), (99.0, "99 %"), (99.9, "99.9 %"))
    return Axis(title, lambda share: -log10(1 - share / 100) / NINES, ticks)


def _nice(step: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that isn't less."""
    power = 10.0 ** floor(log10(step))
    return float(next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step))


def plot(title: str, lines: Sequence[Line], x: Axis, y: Axis) -> str:
    """A whole SVG document, with a background, so that dark pages show it too."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, TOP - 14, title, "start", "bold"),
        *_grid(x, y),
        *(part for number, line in enumerate(lines) for part in _line(line, number, x, y)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _at(x: float, y: float) -> tuple[float, float]:
    """Pixels of places in 0..1, both from the lower left."""
    return (
        LEFT + x * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM),
    )


def _grid(x: Axis, y: Axis) -> list[str]:
    parts = []
    for value, label in x.ticks:
        at, bottom = _at(x.place(value), 0)
        parts += [_stroke(at, bottom, at, TOP), _text(at, bottom + 16, label)]
    for value, label in y.ticks:
        left, at = _at(0, y.place(value))
        parts += [_stroke(left, at, WIDTH - RIGHT, at), _text(left - 6, at + 4, label, "end")]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x.title))
    parts.append(_text(10, TOP - 14, y.title, "start"))
    return parts


def _line(line: Line, number: int, x: Axis, y: Axis) -> list[str]:
    places = [_at(x.place(a), y.place(b)) for a, b in line.points]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    style = f'stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dash}"'
    left, top = WIDTH - RIGHT + 14, TOP + 8 + number * LEGEND_STEP
    return [
        f'<polyline points="{points}" fill="none" {style}/>',
        *(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{line.colour}"/>' for a, b in places),
        f'<line x1="{left}" y1="{top}" x2="{left + 26}" y2="{top}" {style}/>',
        _text(left + 32, top + 4, line.name, "start"),
    ]


def _stroke(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text {place} fill="#222">{escape(text)}</text>'
