"""Trials, from their requests."""

from __future__ import annotations

from array import array

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from infra.config import Objectives
from jobs.load.metrics import Hits
from measure.tune.trial import judge

RATE, SECONDS = 100, 2.0
OBJECTIVES = Objectives(p99_ms=50)


def hits(took_ms: float = 10, slow: int = 0, late_ms: float = 0, failed: int = 0) -> Hits:
    """On time, but for a stall of `late_ms` after the first request."""
    count = int(RATE * SECONDS)
    due = np.arange(count, dtype=np.int64) * 10**9 // RATE
    at = np.maximum(due, np.where(due > 0, int(late_ms * 1e6), 0))
    took = np.full(count, int(took_ms * 1e6))
    took[:slow] = int(1e9)
    good = [0] * failed + [1] * (count - failed)
    return Hits(array("q", at), array("q", took), array("b", good))


def test_a_rate_on_time_and_fast_holds() -> None:
    assert judge(hits(), RATE, SECONDS, OBJECTIVES).held


def test_one_in_a_hundred_may_be_slow_and_no_more() -> None:
    assert judge(hits(slow=2), RATE, SECONDS, OBJECTIVES).held
    assert judge(hits(slow=3), RATE, SECONDS, OBJECTIVES).why == "above 50 ms"


def test_one_bad_answer_is_too_many() -> None:
    assert judge(hits(failed=1), RATE, SECONDS, OBJECTIVES).why == "0.5% failed"


def test_a_stall_of_the_generator_counts_as_waiting() -> None:
    found = judge(hits(late_ms=200), RATE, SECONDS, OBJECTIVES)
    assert found.p99_ms > 150
    assert not found.held


def test_a_rate_that_was_not_kept_does_not_hold() -> None:
    half = hits()
    sent = Hits(array("q", [2 * at for at in half.at]), half.latency, half.good)
    assert "kept" in judge(sent, RATE, SECONDS, OBJECTIVES).why


@given(st.floats(0.1, 49), st.integers(0, 2))
def test_throughput_is_never_more_than_was_asked(took: float, slow: int) -> None:
    found = judge(hits(took_ms=took, slow=slow), RATE, SECONDS, OBJECTIVES)
    assert found.throughput <= RATE * 1.01
