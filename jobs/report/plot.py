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
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif'
# In pixels: of a series in the legend, its sample, its row, and its text.
LEGEND_WIDTH, KEY, LEGEND_ROW, FONT_SIZE = 175, 20, 30, 12
MARGIN = 6
SMALLEST = 1e-3
# Tags and a class of what pygal adds for its script.
SCRIPTED = {"script", "desc", "title", "plot tooltip-overlay"}


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
    powers = range(floor(log10(min(found))), floor(log10(max(found))) + 2)
    marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    low = max((mark for mark in marks if mark <= min(found)), default=marks[0])
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
    *,
    description: str = "",
    size: tuple[int, int] = (820, 420),
    key: str = "",
) -> str:
    """An SVG document with its own palette.

    With `key` it is an element for a page that has the palette: the chart's id on that page.
    """
    listed = sum(each.listed for each in series)
    columns = min((size[0] + 30) // LEGEND_WIDTH, listed)
    # pygal reserves room in the legend for what is not listed, too.
    unused = LEGEND_ROW * (ceil(len(series) / columns) - ceil(listed / columns))
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
        style=_style(series),
        css=("file://style.css", "file://graph.css", *([] if key else [f"file://{PALETTE}"])),
        allow_interruptions=True,
        show_x_guides=True,
        truncate_label=-1,
        truncate_legend=-1,
        legend_at_bottom=True,
        legend_at_bottom_columns=columns,
        legend_box_size=KEY,
        margin=MARGIN,
        margin_right=20,
        margin_bottom=MARGIN - unused,
        spacing=MARGIN,
    )
    chart.uuid = key or "plot"
    for each in series:
        points = [(x.place(a), None if b is None else y.place(b)) for a, b in each.points]
        chart.add(
            each.name if each.listed else None,
            points,
            stroke=each.line,
            show_dots=each.dots,
            dots_size=each.dot_size,
            fill=each.fill,
            stroke_style={"width": 2, "dasharray": each.dash},
        )
    chart.add_xml_filter(partial(_finish, series=series, title=title, description=description))
    drawn: str = chart.render(is_unicode=True, disable_xml_declaration=True)
    return drawn if key else f"{drawn}\n"


def _labels(axis: Axis) -> list[dict[str, float | str]]:
    return [
        {"value": axis.place(tick), "label": f"{tick:,.0f}" if tick >= 1000 else f"{tick:.4g}"}
        for tick in axis.ticks
    ]


def _style(series: Sequence[Series]) -> Style:
    colours = [f"var(--{each.colour})" for each in series]
    text = dict.fromkeys(("foreground", "foreground_strong"), "var(--text)")
    lines = dict.fromkeys(
        ("foreground_subtle", "guide_stroke_color", "major_guide_stroke_color"), "var(--line)"
    )
    sizes = {f"{name}_font_size": FONT_SIZE for name in ("label", "major_label", "legend", "title")}
    return Style(
        **text,
        **lines,
        **sizes,
        background="var(--sheet)",
        plot_background="none",
        font_family=FONT,
        guide_stroke_dasharray="none",
        major_guide_stroke_dasharray="none",
        opacity="1",
        stroke_opacity="1",
        stroke_width="2",
        transition="none",
        colors=colours,
        value_colors=colours,
    )


def _finish(root: Element, series: Sequence[Series], title: str, description: str) -> Element:
    """Remove what needs a script; add names for screen readers and for the pointer."""
    for element in list(root.iter()):
        for child in list(element):
            # A comment's tag is a function.
            if callable(child.tag) or SCRIPTED & {child.tag, child.get("class")}:
                element.remove(child)
        if "d" in element.attrib:
            element.set("d", re.sub(r"(\.\d)\d+", r"\1", element.get("d", "")))
        if found := re.match(r"series serie-(\d+)", element.get("class", "")):
            SubElement(element, "title").text = series[int(found[1])].name
        if found := re.match(r"activate-serie-(\d+)", element.get("id", "")):
            # The id is the same in every chart of a page.
            del element.attrib["id"]
            _draw_key(element[0], series[int(found[1])])
    root.attrib |= {"role": "img", "aria-label": f"{title}. {description}".rstrip(". ")}
    root.insert(0, Element("title"))
    root[0].text = title
    return root


def _draw_key(box: Element, series: Series) -> None:
    """Draw a series in the legend as it is in the chart, in place of pygal's coloured square."""
    left, top, colour = float(box.get("x", 0)), float(box.get("y", 0)), box.get("class", "")
    box.attrib.clear()
    if series.fill:
        box.attrib |= {"x": f"{left}", "y": f"{top + 5}", "width": f"{KEY}", "height": "10"}
    elif series.line:
        box.tag = "path"
        box.attrib |= {"d": f"M{left} {top + 10}h{KEY}", "stroke-dasharray": series.dash}
    else:
        box.tag = "circle"
        box.attrib |= {"cx": f"{left + 10}", "cy": f"{top + 10}", "r": "3"}
    box.set("class", colour)
