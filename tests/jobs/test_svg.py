"""Axes that have room for all values, at places that exist."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from jobs.report.svg import Plot, bounds, ticks

VALUE = st.floats(0, 1e12)


@given(st.lists(VALUE, max_size=20))
def test_every_value_is_on_its_axis_in_order(values: list[float]) -> None:
    axis = bounds(values, 200, 0)
    assert axis.low <= min(values, default=0) or axis.logarithmic
    assert axis.high >= max(values, default=0)
    places = [axis.at(value) for value in sorted(values)]
    assert all(isfinite(place) and 0 <= place <= 200 for place in places)
    assert places == sorted(places, reverse=True)


@given(st.lists(VALUE, max_size=20))
def test_axis_has_a_few_marks_that_rise(values: list[float]) -> None:
    axis = bounds(values, 200, 0)
    marks = ticks(axis.low, axis.high, axis.logarithmic)
    assert 2 <= len(marks) <= 20
    assert all(first < second for first, second in pairwise(marks))
    assert marks[0] >= axis.low * 0.999
    assert marks[-1] <= axis.high * 1.001


def test_line_breaks_where_nothing_is_known_and_a_single_point_is_a_dot() -> None:
    plot = Plot("key", (100, 100), "title", "said")
    plot.path([(0, 0), (1, 1), None, (3, 3), None], "p50")
    assert [(each.tag, each.get("points")) for each in plot.root[2:]] == [
        ("polyline", "0,0 1,1"),
        ("circle", None),
    ]


@given(st.text(st.characters(exclude_categories=("C",))))
def test_text_in_a_chart_is_escaped(text: str) -> None:
    plot = Plot("key", (100, 100), text, text)
    plot.text(1, 1, text)
    again = ElementTree.fromstring(plot.done())
    assert [each.text or "" for each in again] == [text] * 3
