"""Axes that have room for all values, and charts that are whole, named and self-contained."""

from __future__ import annotations

import re
from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.report.plot import Series, linear, logarithmic, percentiles, plot

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.report.plot import Axis

SVG = "{http://www.w3.org/2000/svg}"
SIZE = (400, 300)
VALUES = st.lists(st.floats(0, 1e12), max_size=20)
# A text that XML can hold.
TEXT = st.text(st.characters(exclude_categories=("C",)), min_size=1)
POINTS = st.lists(
    st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 1e6)), min_size=1, max_size=20
)


def coordinates(element: ElementTree.Element) -> list[tuple[float, float]]:
    """Absolute coordinates of what a series consists of."""
    found = [
        (float(each.get("cx", "")), float(each.get("cy", "")))
        for each in element.iter(f"{SVG}circle")
    ]
    for path in element.iter(f"{SVG}path"):
        numbers = [float(each) for each in re.findall(r"[-\d.naif]+", path.get("d", ""))]
        found += zip(numbers[::2], numbers[1::2], strict=True)
    return found


def drawn(chart: str, kind: str) -> list[ElementTree.Element]:
    """The elements of a class."""
    root = ElementTree.fromstring(chart)
    return [each for each in root.iter() if kind in each.get("class", "").split()]


@given(VALUES)
@example([1e12 - 0.002])
@pytest.mark.parametrize("kind", [linear, logarithmic])
def test_every_value_is_between_the_first_and_the_last_of_a_few_ticks(
    kind: Callable[[str, list[float]], Axis], values: list[float]
) -> None:
    axis = kind("", values)
    places = [axis.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(isfinite(place) and 0 <= place <= axis.place(axis.ticks[-1]) for place in places)
    assert 2 <= len(axis.ticks) <= 20
    assert all(axis.place(first) < axis.place(second) for first, second in pairwise(axis.ticks))


def test_each_nine_is_one_step_on_the_axis_of_percentiles() -> None:
    axis = percentiles("")
    places = [axis.place(share) for share in (0, 90, 99, 99.9, 99.99, 100)]
    assert places == pytest.approx([0, 1, 2, 3, 4, 4])


@given(POINTS, TEXT)
def test_every_coordinate_is_finite_and_inside(
    points: list[tuple[float, float | None]], name: str
) -> None:
    x = linear("x", [a for a, _ in points])
    y = logarithmic("y", [b for _, b in points if b is not None])
    shapes = [
        Series(name, points, "blue"),
        Series(name, points, "red", fill=True),
        Series(name, points, "teal", line=False, dots=True),
    ]
    text = plot(name, shapes, x, y, size=SIZE)
    assert ElementTree.fromstring(text).get("viewBox") == "0 0 400 300"
    for series in drawn(text, "series"):
        for a, b in coordinates(series):
            assert 0 <= a <= SIZE[0]
            assert 0 <= b <= SIZE[1]


@pytest.mark.parametrize("apart", [0, 1e-10, 1e-16])
def test_values_that_hardly_differ_are_drawn(apart: float) -> None:
    points = [(1e6, 1e6), (1e6 * (1 + apart), 1e6 * (1 + apart))]
    axes = linear("", [a for a, _ in points]), logarithmic("", [b for _, b in points])
    assert drawn(plot("t", [Series("a", points, "blue")], *axes), "line")


def test_line_breaks_where_a_value_is_missing() -> None:
    points = [(0, 1), (1, 2), (2, None), (3, 3), (4, 4)]
    text = plot("t", [Series("a", points, "blue")], linear("", [4]), linear("", [4]))
    assert [
        each.get("d", "").count("L")
        for each in drawn(text, "line")
        if "reactive" in each.get("class", "")
    ] == [1, 1]


@given(st.integers(1, 9), st.integers(0, 9), st.sampled_from([320, 560, 880]))
def test_legend_is_below_the_title_of_the_axis_and_inside(
    listed: int, others: int, width: int
) -> None:
    points = [(1.0, 1.0), (2.0, 2.0)]
    series = [Series(f"listed {n}", points, "blue") for n in range(listed)]
    series += [Series(f"other {n}", points, "red", listed=False) for n in range(others)]
    text = plot("t", series, linear("the x axis", [2]), linear("", [2]), (width, 400))
    (legends,) = drawn(text, "legends")
    names = [each.text for each in legends.iter(f"{SVG}text")]
    assert names == [f"listed {n}" for n in range(listed)]
    top = float(re.split("[, )]+", legends.get("transform", ""))[1])
    bottom = top + max(float(each.get("y", "")) for each in legends.iter(f"{SVG}text"))
    (title,) = (each for each in drawn(text, "title") if each.text == "the x axis")
    assert float(title.get("y", "")) < top
    assert 360 < bottom < 400
    assert "<title>other 0</title>" in text or not others


@given(TEXT)
def test_texts_are_escaped_and_name_the_chart(text: str) -> None:
    points = [(1.0, 1.0)]
    chart = plot(text, [Series(text, points, "blue")], linear(text, [1]), linear(text, [1]))
    root = ElementTree.fromstring(chart)
    assert root[0].text == text
    assert root.get("role") == "img"
    assert root.get("aria-label") == text
    assert text in [each.text for each in root.iter(f"{SVG}text")]


def test_chart_needs_neither_scripts_nor_a_network_and_is_the_same_each_time() -> None:
    arguments = (
        "t",
        [Series("a", [(1, 1), (2, 2)], "blue", dots=True)],
        linear("", [2]),
        linear("", [2]),
    )
    text = plot(*arguments)
    assert text == plot(*arguments)
    tags = {each.tag.removeprefix(SVG) for each in ElementTree.fromstring(text).iter()}
    assert not tags & {"script", "a", "image", "use", "foreignObject"}
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|<!--", text)


def test_only_a_document_of_its_own_brings_the_palette() -> None:
    arguments = ([Series("a", [(1, 1)], "blue")], linear("", [1]), linear("", [1]))
    assert "prefers-color-scheme" in plot("t", *arguments)
    element = plot("t", *arguments, key="one")
    assert "prefers-color-scheme" not in element
    assert ElementTree.fromstring(element).get("id") == "chart-one"
