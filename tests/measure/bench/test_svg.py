"""Plots are whole, and nothing in them lies outside."""

from __future__ import annotations

import re
from math import isfinite
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure.bench.serving import svg
from measure.bench.serving.loads import CLIENTS
from measure.bench.serving.plots import percentiles, under_clients
from measure.bench.serving.results import Results
from tests.measure.bench.cases import results

LATENCY = st.floats(1e-3, 1e6)
POINTS = st.lists(st.tuples(st.floats(0, 1e6), LATENCY), min_size=1, max_size=20)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?|nan|inf")


def drawn(text: str) -> list[tuple[float, float]]:
    """Every coordinate pair in a document, which must be XML."""
    found = []
    for element in ElementTree.fromstring(text).iter():
        for pairs in (("x", "y"), ("cx", "cy"), ("x1", "y1"), ("x2", "y2")):
            if pairs[0] in element.attrib:
                found.append((float(element.attrib[pairs[0]]), float(element.attrib[pairs[1]])))
        numbers = [float(number) for number in NUMBER.findall(element.get("points", ""))]
        found += zip(numbers[::2], numbers[1::2], strict=True)
    return found


@given(POINTS, st.text(max_size=20))
def test_every_coordinate_is_finite_and_inside(
    points: list[tuple[float, float]], title: str
) -> None:
    x = svg.linear("requests", max(a for a, _ in points))
    y = svg.logarithmic("ms", min(b for _, b in points), max(b for _, b in points))
    # XML has no place for most control characters.
    name = "".join(sign for sign in title if sign.isprintable())
    found = drawn(svg.plot(name, [svg.Line(name, tuple(points), "#000")], x, y))
    assert len(found) > len(points)
    for a, b in found:
        assert isfinite(a)
        assert isfinite(b)
        assert 0 <= a <= svg.WIDTH
        assert 0 <= b <= svg.HEIGHT


@given(LATENCY, st.floats(1, 1e3))
def test_a_logarithmic_axis_holds_its_values_and_has_ticks_in_order(
    least: float, times: float
) -> None:
    most = least * times
    axis = svg.logarithmic("", least, most)
    assert -1e-9 <= axis.place(least) <= axis.place(most) <= 1 + 1e-9
    values = [value for value, _ in axis.ticks]
    assert values == sorted(set(values))
    assert len(values) >= 2


def test_each_nine_is_one_step_on_the_axis_of_percentiles() -> None:
    axis = svg.nines("")
    places = [axis.place(share) for share in (0, 90, 99, 99.9)]
    assert places == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_each_subject_has_a_line_and_a_name() -> None:
    text = percentiles(results(("rate100", "1-png-32x32")), "rate100", "1-png-32x32")
    assert text
    assert text.count("<polyline") == 8
    assert "ours, binary to Triton" in text


def test_each_number_of_clients_is_a_point() -> None:
    groups = [(f"clients{count}", "1-png-32x32") for count in CLIENTS]
    text = under_clients(results(*groups), CLIENTS, "1-png-32x32")
    assert text
    assert text.count("<circle") == 8 * len(CLIENTS)


def test_without_results_there_is_no_plot() -> None:
    assert percentiles(Results(), "rate100", "1-png-32x32") is None
    assert under_clients(Results(), CLIENTS, "1-png-32x32") is None
