"""What charts are drawn with: scales, axes, lines, as SVG elements. Pure.

Elements are built as a tree, so text in them is escaped; colours are the page's, by class.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Axis", "Element", "Plot", "bounds", "shown", "ticks"]

Element = ElementTree.Element
# From here on the smaller values would be a flat line on an even axis.
LOGARITHMIC_FROM = 25.0
SMALLEST = 1e-3


@dataclass(frozen=True)
class Axis:
    """From values to pixels; what lies beyond its ends is drawn at them."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        low, high, value = (self._even(each) for each in (self.low, self.high, value))
        along = (min(max(value, low), high) - low) / (high - low)
        return round(self.start + along * (self.end - self.start), 1)

    def _even(self, value: float) -> float:
        return log10(max(value, SMALLEST)) if self.logarithmic else value


def bounds(values: Iterable[float], start: float, end: float, least: float = 0.0) -> Axis:
    """An axis that has room for all values: from 0, or logarithmic where they differ much."""
    known = [value for value in values if isfinite(value)]
    high = max([*known, least, SMALLEST])
    low = max(min([value for value in known if value > 0] or [high]), SMALLEST)
    if high / low <= LOGARITHMIC_FROM:
        return Axis(0.0, ticks(0.0, high * 1.05)[-1], start, end)
    return Axis(10.0 ** floor(log10(low)), _above(high), start, end, logarithmic=True)


def ticks(low: float, high: float, logarithmic: bool = False) -> list[float]:
    """Round values from `low` to `high` or just above."""
    if logarithmic:
        decades = range(floor(log10(low)), ceil(log10(high)) + 1)
        steps = (1,) if len(decades) > 4 else (1, 2, 5)
        found = [step * 10.0**decade for decade in decades for step in steps]
        return [value for value in found if low * 0.999 <= value <= high * 1.001]
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough * 0.999)
    return [low + step * count for count in range(ceil((high - low) / step - 1e-9) + 1)]


def shown(value: float) -> str:
    """A tick's label."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _above(value: float) -> float:
    power = 10.0 ** floor(log10(value))
    return next(power * each for each in (2, 5, 10, 20) if power * each >= value * 1.02)


class Plot:
    """A chart in the making, of the size it is shown at."""

    def __init__(self, key: str, size: tuple[int, int], title: str, said: str) -> None:
        self.width, self.height = size
        self.left, self.right, self.top, self.bottom = 46, self.width - 12, 14, self.height - 40
        names = {"role": "img", "aria-labelledby": f"{key}-title {key}-said"}
        box = {"viewBox": f"0 0 {self.width} {self.height}", "width": str(self.width)}
        self.root = Element("svg", names | box | {"height": str(self.height)})
        self.add("title", {"id": f"{key}-title"}).text = title
        self.add("desc", {"id": f"{key}-said"}).text = said

    def add(self, tag: str, attributes: dict[str, str]) -> Element:
        return ElementTree.SubElement(self.root, tag, attributes)

    def text(self, x: float, y: float, said: str, anchor: str = "middle", kind: str = "") -> None:
        named = {"class": kind} if kind else {}
        place = {"x": f"{x:g}", "y": f"{y:g}", "text-anchor": anchor}
        self.add("text", place | named).text = said

    def rule(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        ends = {"x1": f"{x1:g}", "y1": f"{y1:g}", "x2": f"{x2:g}", "y2": f"{y2:g}"}
        self.add("line", ends | {"class": kind})

    def upwards(self, axis: Axis, unit: str) -> None:
        """Grid and labels of the vertical axis."""
        for value in ticks(axis.low, axis.high, axis.logarithmic):
            y = axis.at(value)
            self.rule(self.left, y, self.right, y, "grid")
            self.text(self.left - 6, y + 4, shown(value), "end")
        self.text(4, 9, f"{unit}, logarithmic" if axis.logarithmic else unit, "start", "unit")

    def sideways(self, places: Iterable[tuple[float, str]], unit: str) -> None:
        """Labels of the horizontal axis at their pixels."""
        for x, said in places:
            self.rule(x, self.bottom, x, self.bottom + 4, "grid")
            self.text(x, self.bottom + 17, said)
        self.text((self.left + self.right) / 2, self.height - 5, unit, kind="unit")

    def path(self, points: Sequence[tuple[float, float] | None], kind: str) -> None:
        """A line, broken where a point is missing; a point by itself is a dot."""
        for known, group in groupby(points, key=lambda point: point is not None):
            part = [point for point in group if point is not None]
            if known and len(part) == 1:
                (x, y) = part[0]
                self.add("circle", {"cx": f"{x:g}", "cy": f"{y:g}", "r": "2.5", "class": kind})
            elif known:
                drawn = " ".join(f"{x:g},{y:g}" for x, y in part)
                self.add("polyline", {"points": drawn, "class": kind})

    def diamond(self, x: float, y: float, kind: str, size: float = 5) -> None:
        corners = ((x, y - size), (x + size, y), (x, y + size), (x - size, y))
        drawn = " ".join(f"{a:g},{b:g}" for a, b in corners)
        self.add("polygon", {"points": drawn, "class": kind})

    def done(self) -> str:
        return ElementTree.tostring(self.root, encoding="unicode")
