"""The page: well-formed, self-contained and small, whatever a result says."""

from __future__ import annotations

import copy
import re
from functools import cache
from html.parser import HTMLParser
from math import isfinite
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.load.metrics import collect, error_kind
from jobs.load.results import Result
from jobs.report.page import render
from tests.jobs.results import MILLISECOND, SECOND, job, result, run

VOID = ("meta", "link", "br", "hr", "img", "input")
NUMBERS = ("x", "y", "cx", "cy", "width", "height", "viewbox", "d")
LARGEST = 300_000
CHART = ("path", "text", "g", "title")
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=1>', "{{ 7 * 7 }}", "</style>"]
TEXT = st.text(min_size=1, max_size=40) | st.sampled_from([*HOSTILE, "a\u202eb\0"])
# A request: how late it was sent and how long it took in microseconds, status, error.
REQUEST = st.tuples(
    *(st.integers(0, 10**8), st.integers(0, 10**8)),
    *(st.sampled_from(["200", "0", "503", "302"]), TEXT),
)


class Parsed(HTMLParser):
    """What a page consists of; raises where an element is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.said = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes.extend((tag, name, value or "") for name, value in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


def parsed(raw: dict[str, Any], previous: dict[str, Any] | None = None) -> Parsed:
    text = render(Result.of(raw, "this"), Result.of(previous, "previous") if previous else None)
    assert len(text.encode()) < LARGEST
    found = Parsed(text)
    check_self_contained(found)
    check_coordinates(found)
    return found


def check_self_contained(found: Parsed) -> None:
    assert not {"script", "link", "img", "iframe", "object", "a", "use", "image"} & {
        t for t, _ in found.tags
    }
    names = {name for _, name, _ in found.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not {"src", "href", "style", "xlink:href"} & names
    (policy,) = [v for tag, _, v in found.attributes if tag == "meta" and "default-src" in v]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def check_coordinates(found: Parsed) -> None:
    for tag, name, value in found.attributes:
        if name in NUMBERS and tag != "meta":
            for number in re.findall(r"[^\s,MLhvz]+", value):
                assert isfinite(float(number)), f"{name}={value}"
                # Labels are left of the plot, and what is in it counts from its corner.
                assert -5 <= float(number) <= 2000, f"{name}={value}"


@cache
def usual() -> dict[str, Any]:
    return result(run(100, 10, failing=0.05), job(100, 10))


def made(requests: list[tuple[int, int, str, str]], **asked: Any) -> dict[str, Any]:
    """result.json of a run of such requests, 100 a second."""
    rows = [
        [str(n * SECOND // 100 + late * 1000), status, str(took * 1000), "9", "9", error]
        for n, (late, took, status, error) in enumerate(requests)
    ]
    return result(collect(rows), job(100, max(len(rows) / 100, 0.01), **asked))


@settings(max_examples=40)
@given(st.lists(REQUEST, min_size=1, max_size=80), st.booleans())
def test_whatever_happened_there_is_a_page_of_it(
    requests: list[tuple[int, int, str, str]], compare: bool
) -> None:
    raw = made(requests)
    found = parsed(raw, usual() if compare else None)
    assert raw["verdict"] in found.said


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([(0, 3000, "200", "")], id="one"),
        pytest.param([(0, 0, "0", "refused")] * 300, id="all failed at once"),
        pytest.param([(0, 3000, "200", "")] * 300, id="all the same"),
        pytest.param([(0, 1, "200", ""), (0, 10**9, "200", "")] * 100, id="far apart"),
    ],
)
def test_extremes_are_drawn(requests: list[tuple[int, int, str, str]]) -> None:
    found = parsed(made(requests))
    # Three charts, three widths each.
    assert [tag for tag, _ in found.tags].count("svg") == 9


@settings(max_examples=40)
@given(st.lists(TEXT.map(error_kind).filter(bool), min_size=7, max_size=7))
def test_texts_are_text_and_never_markup(texts: list[str]) -> None:
    raw = copy.deepcopy(usual())
    tame = parsed(raw)
    for name, text in zip(("model", "url", "target", "started"), texts, strict=False):
        raw[name] = text
    raw["errors"][0]["error"], raw["objectives"][0]["name"], raw["why"] = texts[4:7]
    hostile = parsed(raw)
    # A reason replaces those of objectives, and a chart has no line for an objective of that name.
    mine, theirs = ([each for each in page.tags if each[0] != "p"] for page in (hostile, tame))
    assert [tag for tag in mine if tag[0] not in CHART] == [
        tag for tag in theirs if tag[0] not in CHART
    ]
    assert texts[0] in hostile.said


def test_hour_with_a_hundred_thousand_errors_is_a_small_page() -> None:
    every = SECOND // 50
    rows = [
        [str(n * every), "0" if n % 2 else "200", str(MILLISECOND), "1", "1", f"{n:06x}" * 500]
        for n in range(180_000)
    ]
    raw = result(collect(rows), job(50, 3600))
    assert raw["error_kinds"] == 90_000
    assert "The most frequent of 90,000 kinds." in parsed(raw, raw).said


def test_missed_objective_is_said_in_words_on_top() -> None:
    raw = made([(0, 60_000, "200", "")] * 100)
    said = " ".join(parsed(raw).said.split())
    assert "digits: ✗ fail, an objective is missed" in said
    assert "99th percentile: 60.00 ms, wanted at most 50 ms." in said


def test_lateness_of_the_generator_is_said_to_be_its_own() -> None:
    fine = [(0, 3000, "200", "")] * 100
    stall = [(late, 3000, "200", "") for late in range(100_000, 0, -10_000)]
    raw = made(fine + stall + fine)
    assert raw["verdict"] == "invalid"
    said = " ".join(parsed(raw).said.split())
    assert "? invalid, the run is not usable" in said
    assert "only the load generator's own lateness makes it a miss" in said


def test_previous_run_that_was_another_kind_of_run_is_said_so() -> None:
    other = result(run(200, 5), job(200, 5, target="transformer"))
    said = " ".join(parsed(usual(), other).said.split())
    assert "target: predictor here, transformer before." in said
    assert "asked: 100 requests/s for 10 s here, 200 requests/s for 5 s before." in said
