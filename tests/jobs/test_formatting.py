"""Texts of a result: true to its figures, in the terminal as on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.load.results import Result
from jobs.report.charts import spans
from jobs.report.formatting import change, compare, milliseconds, share
from jobs.report.terminal import summary
from tests.jobs.results import job, result, run

if TYPE_CHECKING:
    from collections.abc import Callable


@given(st.floats(0, 1))
def test_only_all_of_it_is_a_hundred_per_cent(value: float) -> None:
    assert (share(value) == "100.00 %") == (value > 1 - 1e-9)
    assert float(share(value).removesuffix(" %")) <= value * 100 + 1e-6


@pytest.mark.parametrize(
    ("format_", "values", "text"),
    [
        (milliseconds, (None,), "–"),
        (milliseconds, (5.548,), "5.55"),
        (milliseconds, (123.44,), "123.4"),
        (milliseconds, (12345.6,), "12,346"),
        (change, (9, 10), "−10 %"),
        (change, (12, 10), "+20 %"),
        (change, (10.001, 10), "±0 %"),
        (change, (1, 0), ""),
        (change, (None, 10), ""),
        (share, (0.999,), "99.90 %"),
    ],
)
def test_figures_are_short(format_: Callable[..., str], values: tuple[float], text: str) -> None:
    assert format_(*values) == text


def test_the_reference_is_compared_from_the_actual_send() -> None:
    found = Result.of(result(run(100, 10), job(100, 10)), "this")
    (p99,) = (each for each in compare(found, None) if each.name == "p99")
    assert p99.service is not None
    assert p99.found is not None
    assert p99.service < p99.found
    assert p99.against_reference == change(p99.service, 9.286)


def test_table_has_objectives_percentiles_and_errors() -> None:
    text = summary(Result.of(result(run(100, 10, failing=0.05), job(100, 10)), "this")).splitlines()
    lines = [line.split() for line in text]
    assert ["p99", "9.29"] in [[line[0], line[3]] for line in lines if len(line) == 6]
    assert any(line[:1] == ["p99.99"] for line in lines)
    assert sum(line[-1:] == ["MISSED"] for line in lines) == 1
    assert text[-1].endswith("× read tcp 10.0.0.2:80: read: connection reset by peer")


@given(st.integers(1, 40), st.integers(1, 50))
def test_spans_count_every_request_once(seconds: int, most: int) -> None:
    found = Result.of(result(run(5, seconds), job(5, seconds)), "this")
    parts = spans(found, most)
    assert len(parts) <= most
    sent = sum(part.rate * (part.end - part.start) for part in parts)
    assert sent == pytest.approx(found.requests)
    assert max(part.max or 0 for part in parts) == max(each.max or 0 for each in found.over_time)
