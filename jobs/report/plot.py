"""Line charts as SVG, for the load test's report, the benchmark and the tuner. Pure.

pygal draws them. Its scripts and tooltips are removed, so that a chart needs neither a network nor
JavaScript. Colours are those of palette.css, light or dark as the reader's system is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from math import ceil, floor, log10
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement

import pygal
from pygal.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["PALETTE", "Axis", "Series", "linear", "logarithmic", "percentiles", "plot"]

PALETTE = Path(__file__).with_name("palette.css")
# Pixels of the legend: a row, the sample of a series with its margin, a letter on the average.
ROW, KEY, KEY_MARGIN, LETTER = 30, 20, 12, 5.8
MARGIN = 6
SMALLEST = 1e-3
# What pygal adds for its script: tags, and a class.
SCRIPTED, TOOLTIP = ("script", "desc", "title"), "plot tooltip-overlay"
STYLE = {
    "background": "var(--sheet)",
    "plot_background": "none",
    "font_family": 'system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif',
    "opacity": "1",
    "stroke_opacity": "1",
    "stroke_width": "2",
    "transition": "none",
    **dict.fromkeys(("foreground", "foreground_strong"), "var(--text)"),
    **dict.fromkeys(("guide_stroke_color", "major_guide_stroke_color"), "var(--line)"),
    **dict.fromkeys(("guide_stroke_dasharray", "major_guide_stroke_dasharray"), "none"),
    **{f"{each}_font_size": 12 for each in ("label", "major_label", "legend", "title")},
}
OPTIONS = {
    "allow_interruptions": True,
    "show_x_guides": True,
    "truncate_label": -1,
    "truncate_legend": -1,
    "legend_at_bottom": True,
    "legend_box_size": KEY,
    "margin": MARGIN,
    "margin_right": 20,
    "spacing": MARGIN,
}


@dataclass(frozen=True)
class Series:
    """Points (x, y) joined by a line, which a y of None interrupts. `colour` is one of palette.css.

    `name` is in the legend, unless not `listed`, and is shown when the pointer is on the line.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    colour: str
    dash: str = ""
    line: bool = True
    dots: bool = False
    dot_size: float = 3
    fill: bool = False
    listed: bool = True


@dataclass(frozen=True)
class Axis:
    """`place` maps a value to its position on the axis, from 0 on; `ticks` are values, rising."""

    title: str
    place: Callable[[float], float]
    ticks: tuple[float, ...]


def linear(title: str, values: Iterable[float]) -> Axis:
    """From 0 to a round number that is not below the largest value, in three to six steps."""
    most = max([*values, SMALLEST])
    power = 10.0 ** floor(log10(most / 5))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= most / 5 * 0.999)
    return Axis(title, float, tuple(step * at for at in range(ceil(most / step - 1e-9) + 1)))


def logarithmic(title: str, values: Iterable[float]) -> Axis:
    """From the tick below the smallest value to the one above the largest."""
    found = [max(value, SMALLEST) for value in values] or [1.0]
    # From one power lower, since log10 rounds up a value just below a power of ten.
    powers = range(floor(log10(min(found))) - 1, floor(log10(max(found))) + 2)
    marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    low = max(mark for mark in marks if mark <= min(found))
    high = next(mark for mark in marks if mark > max(found))
    shown = [mark for mark in marks if low <= mark <= high]
    if len(shown) > 10:
        shown = [low, *(10.0**power for power in powers if low < 10.0**power < high), high]
    return Axis(title, lambda value: log10(max(value, low) / low), tuple(shown))


def percentiles(title: str, last: float = 99.99) -> Axis:
    """Of shares in per cent: each further nine is as wide as the one before, as in HdrHistogram."""
    shares = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99)
    ticks = tuple(share for share in shares if share <= last)
    return Axis(title, lambda share: -log10(1 - min(share, last) / 100), ticks)


def plot(
    title: str,
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    size: tuple[int, int] = (820, 420),
    key: str = "",
) -> str:
    """An SVG document with its own palette.

    With `key` it is an element for a page that has the palette: the chart's id on that page.
    """
    columns, missing = _legend(series, size[0])
    colours = [f"var(--{each.colour})" for each in series]
    chart = pygal.XY(
        title=f"{title}, {y.title}",
        x_title=x.title,
        x_labels=_labels(x),
        y_labels=_labels(y),
        # Else pygal looks for ticks between values that may be too close to each other for that.
        xrange=(0, x.place(x.ticks[-1])),
        range=(0, y.place(y.ticks[-1])),
        width=size[0],
        height=size[1],
        margin_bottom=MARGIN + missing,
        legend_at_bottom_columns=columns,
        style=Style(**STYLE, colors=colours, value_colors=colours),
        css=("file://style.css", "file://graph.css", *([] if key else [f"file://{PALETTE}"])),
        **OPTIONS,
    )
    chart.uuid = key or "plot"
    for each in series:
        chart.add(
            each.name if each.listed else None,
            [(x.place(a), None if b is None else y.place(b)) for a, b in each.points],
            stroke=each.line,
            show_dots=each.dots,
            dots_size=each.dot_size,
            fill=each.fill,
            stroke_style={"dasharray": each.dash},
        )
    chart.add_xml_filter(partial(_finish, title, series))
    drawn: str = chart.render(is_unicode=True, disable_xml_declaration=True)
    return drawn if key else f"{drawn}\n"


def _legend(series: Sequence[Series], width: int) -> tuple[int, int]:
    """Columns of the legend, and the height in pixels that pygal does not leave for it."""
    listed = [each.name for each in series if each.listed]
    widest = KEY + KEY_MARGIN + LETTER * max(map(len, listed))
    columns = max(1, min(int(width / widest), len(listed)))
    # pygal leaves room for the full rows that all series would fill, listed or not.
    return columns, ROW * (ceil(len(listed) / columns) - len(series) // columns)


def _labels(axis: Axis) -> list[dict[str, float | str]]:
    return [
        {"value": axis.place(tick), "label": f"{tick:,.0f}" if tick >= 1000 else f"{tick:.4g}"}
        for tick in axis.ticks
    ]


def _finish(title: str, series: Sequence[Series], root: Element) -> Element:
    """Remove what needs a script; add names for screen readers and for the pointer."""
    for element in list(root.iter()):
        for child in list(element):
            # A comment's tag is a function.
            if callable(child.tag) or child.tag in SCRIPTED or child.get("class") == TOOLTIP:
                element.remove(child)
        if "d" in element.attrib:
            element.set("d", re.sub(r"(\.\d)\d+", r"\1", element.get("d", "")))
        if found := re.match(r"series serie-(\d+)", element.get("class", "")):
            SubElement(element, "title").text = series[int(found[1])].name
        if found := re.match(r"activate-serie-(\d+)", element.get("id", "")):
            # The id is the same in every chart of a page.
            del element.attrib["id"]
            _draw_key(element[0], series[int(found[1])])
    root.attrib |= {"role": "img", "aria-label": title}
    root.insert(0, Element("title"))
    root[0].text = title
    return root


def _draw_key(box: Element, series: Series) -> None:
    """Draw a series in the legend as it is in the chart, in place of pygal's coloured square."""
    left, top, colour = float(box.get("x", 0)), float(box.get("y", 0)), box.get("class", "")
    if series.fill:
        box.attrib |= {"y": f"{top + 5}", "height": "10"}
        return
    box.attrib = {"class": colour}
    if series.line:
        box.tag = "path"
        box.attrib |= {"d": f"M{left} {top + 10}h{KEY}", "stroke-dasharray": series.dash}
    else:
        box.tag = "circle"
        box.attrib |= {"cx": f"{left + 10}", "cy": f"{top + 10}", "r": "3"}
