"""Results of loads, and when the time of a request begins."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.load.metrics import Hits
from measure.bench.serving.figures import LoadResult

MS = 1_000_000
RATE = 100


def result(rows: list[tuple[int, int, bool]], rate: int | None) -> LoadResult:
    """Of requests: when each was sent, how long it took, whether its answer was good."""
    at, took, good = zip(*rows, strict=True)
    return LoadResult.of(Hits(array("q", at), array("q", took), array("b", good)), rate)


def test_in_an_open_loop_a_request_that_was_sent_late_took_longer() -> None:
    stalled = [(0, MS, True), (10 * MS, MS, True), (60 * MS, MS, True), (61 * MS, MS, True)]
    assert result(stalled, RATE).latencies.tolist() == [1, 1, 41, 32]
    assert result(stalled, RATE).service.tolist() == [1, 1, 1, 1]


def test_in_a_closed_loop_latencies_count_from_the_send() -> None:
    rows = [(0, 2 * MS, True), (60 * MS, MS, True)]
    assert result(rows, None).latencies.tolist() == [2, 1]


@given(st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=50))
def test_failed_requests_are_counted_and_have_no_latency(requests: list[tuple[int, bool]]) -> None:
    rows = [(at * 10 * MS, took * MS, good) for at, (took, good) in enumerate(requests)]
    found = result(rows, RATE)
    assert found.sent == len(requests)
    assert found.latencies.tolist() == [took for took, good in requests if good]


def test_throughput_is_of_good_answers_from_the_first_request_to_the_last_answer() -> None:
    rows = [(0, 10 * MS, True), (10 * MS, 10 * MS, False), (90 * MS, 110 * MS, True)]
    assert result(rows, None).throughput == pytest.approx(2 / 0.2)
