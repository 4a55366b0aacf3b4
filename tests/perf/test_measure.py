"""A load test's figures, from single requests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.job import Load, Objectives
from perf.measure import Hits, collect, figures, rate_ratio

SECOND, MILLISECOND = 10**9, 10**6


def job(rate: int, seconds: float) -> Load:
    return Load(
        model="digits",
        url="http://digits",
        target="predictor",
        host_header=None,
        rate=rate,
        duration_seconds=seconds,
        timeout_seconds=10,
        objectives=Objectives(50, 0.999, 0.99),
        result=None,
        termination_log=None,
    )


def hits(latencies: list[float], *, every: float = 0.01, status: str = "200") -> Hits:
    """One request every so many seconds, each with its latency in milliseconds."""
    return collect(
        [
            str(round(n * every * SECOND)),
            status,
            str(int(ms * MILLISECOND)),
            "100",
            "10",
            "",
            "rest",
        ]
        for n, ms in enumerate(latencies)
    )


def test_percentiles_are_latencies_that_were_seen() -> None:
    found = figures(hits([float(n) for n in range(1, 1001)]), job(100, 10))["latency_ms"]
    assert [found[name] for name in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")] == [
        *(1, 500, 900, 950, 990, 999, 1000)
    ]
    assert found["mean"] == pytest.approx(500.5)


@given(st.lists(st.floats(0.001, 20_000), min_size=1, max_size=300))
def test_distribution_is_ordered_and_counts_every_request(latencies: list[float]) -> None:
    found = figures(hits(latencies), job(100, len(latencies) / 100))["latency_ms"]
    steps = [item["ms"] for item in found["distribution"]]
    assert steps == sorted(steps)
    assert sum(item["count"] for item in found["histogram"]) == len(latencies)
    assert found["min"] == pytest.approx(np.floor(min(latencies) * 1e6) / 1e6)


def test_statuses_errors_and_bytes_are_counted() -> None:
    rows = [["0", "200", "1000000", "100", "10", ""]] * 7
    rows += [["5", "503", "1000000", "100", "20", "503 Service Unavailable"]] * 2
    rows += [["9", "0", "1000000", "0", "0", "dial tcp: refused"]]
    found = figures(collect(rows), job(10, 1))
    assert found["success_ratio"] == 0.7
    assert found["status_codes"] == {"0": 1, "200": 7, "503": 2}
    assert found["bytes"] == {"sent": 900, "received": 110}
    assert found["errors"] == [
        {"error": "503 Service Unavailable", "count": 2},
        {"error": "dial tcp: refused", "count": 1},
    ]


def test_redirect_is_no_success() -> None:
    assert figures(hits([1.0] * 4, status="302"), job(100, 1))["success_ratio"] == 0


@pytest.mark.parametrize(
    ("count", "every", "ratio"),
    [
        (1000, 0.01, 1.0),  # All of them, in time.
        (500, 0.01, 0.5),  # In time, but half of them.
        (1000, 0.02, 0.5),  # All of them, but half as fast.
        (1100, 0.009, 1.0),  # More than asked is no merit.
    ],
)
def test_rate_is_kept_by_count_and_by_pace(count: int, every: float, ratio: float) -> None:
    assert rate_ratio(hits([1.0] * count, every=every), job(100, 10)) == pytest.approx(ratio)


def test_single_request_has_no_pace() -> None:
    found: dict[str, Any] = figures(hits([1.0]), job(1, 1))
    assert found["rate"]["ratio"] == 1
