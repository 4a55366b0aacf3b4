"""Metrics of a load, from its requests, and how late each was sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.load.metrics import Hits, collect, lateness, metrics, most_in_flight, rate_ratio
from tests.jobs.results import MILLISECOND, SECOND, job


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


def test_percentiles_are_measured_latencies() -> None:
    found = metrics(hits([float(n) for n in range(1, 1001)]), job(100, 10))["latency_ms"]
    assert [found[name] for name in ("min", "p50", "p90", "p95", "p99", "p99_9", "max")] == [
        *(1, 500, 900, 950, 990, 999, 1000)
    ]
    assert found["mean"] == pytest.approx(500.5)


@given(st.lists(st.floats(0.001, 20_000), min_size=1, max_size=300))
def test_distribution_is_ordered_and_counts_every_request(latencies: list[float]) -> None:
    found = metrics(hits(latencies), job(100, len(latencies) / 100))["latency_ms"]
    steps = [item["ms"] for item in found["distribution"]]
    assert steps == sorted(steps)
    assert sum(item["count"] for item in found["histogram"]) == len(latencies)
    assert found["min"] == pytest.approx(np.floor(min(latencies) * 1e6) / 1e6)


def test_statuses_errors_and_bytes_are_counted() -> None:
    rows = [["0", "200", "1000000", "100", "10", ""]] * 7
    rows += [["5", "503", "1000000", "100", "20", "503 Service Unavailable"]] * 2
    rows += [["9", "0", "1000000", "0", "0", "dial tcp: refused"]]
    found = metrics(collect(rows), job(10, 1))
    assert found["success_ratio"] == 0.7
    assert found["status_codes"] == {"0": 1, "200": 7, "503": 2}
    assert found["sent_bytes"] == 900
    assert found["errors"] == [
        {"error": "503 Service Unavailable", "count": 2},
        {"error": "dial tcp: refused", "count": 1},
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=60))
def test_the_most_requests_in_flight_are_those_that_wait_at_one_time(
    requests: list[tuple[int, int]],
) -> None:
    rows = [[str(at), "200", str(took), "1", "1", ""] for at, took in requests]
    waiting = [sum(at <= now < at + took for at, took in requests) for now in range(71)]
    assert most_in_flight(collect(rows)) == max(waiting)


def test_redirect_is_no_success() -> None:
    assert metrics(hits([1.0] * 4, status="302"), job(100, 1))["success_ratio"] == 0


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
    assert rate_ratio(hits([1.0] * count, every=every), 100, 10) == pytest.approx(ratio)


def test_single_request_has_no_pace() -> None:
    found: dict[str, Any] = metrics(hits([1.0]), job(1, 1))
    assert found["rate"]["ratio"] == 1


LATE = st.lists(st.integers(0, 50_000_000), min_size=2, max_size=60)


def sent(late: list[int], rate: int, origin: int) -> Hits:
    """Requests so many nanoseconds late each, all answered after 3 ms; the last one comes first."""
    due = [origin + n * (SECOND // rate) for n in range(len(late))]
    times = [at + by for at, by in zip(due, late, strict=True)]
    return collect(
        [str(at), "200", str(3 * MILLISECOND), "1", "1", ""] for at in sorted(times, reverse=True)
    )


@given(
    st.lists(st.integers(0, 900_000), min_size=1, max_size=60),
    st.integers(0, 59),
    st.integers(0, 10**10),
    st.integers(0, 2 * 10**18),
)
def test_generator_that_is_late_by_d_on_a_request_adds_d_to_it(
    late: list[int], which: int, d: int, origin: int
) -> None:
    """The first one is punctual; a stall holds up what is due meanwhile as well, as in vegeta."""
    late = [0, *late]
    stalled = 1 + which % (len(late) - 1)
    held = [
        max(by, d - (n - stalled) * MILLISECOND) if n >= stalled else by
        for n, by in enumerate(late)
    ]
    before = metrics(sent(late, 1000, origin), job(1000, 1))
    after = metrics(sent(held, 1000, origin), job(1000, 1))
    added = (after["latency_ms"]["mean"] - before["latency_ms"]["mean"]) * len(late) * MILLISECOND
    assert added == pytest.approx(sum(held) - sum(late), abs=len(late))
    assert after["latency_ms"]["max"] == pytest.approx(3 + max(held) / MILLISECOND)
    assert after["service_ms"] == before["service_ms"]


@given(LATE, st.integers(1, 5000))
def test_latency_is_never_less_than_from_the_send(late: list[int], rate: int) -> None:
    found = metrics(sent(late, rate, 0), job(rate, 1))
    for name, service in found["service_ms"].items():
        assert found["latency_ms"][name] >= service - 1e-9
    assert found["lateness_ms"]["max"] >= found["lateness_ms"]["p99"] >= 0


@given(LATE, st.integers(1, 5000), st.integers(0, 10**18))
def test_when_the_run_was_changes_nothing(late: list[int], rate: int, origin: int) -> None:
    assert metrics(sent(late, rate, origin), job(rate, 1)) == metrics(
        sent(late, rate, 0), job(rate, 1)
    )


@given(LATE, st.floats(0.3, 3))
def test_seconds_together_are_the_whole_run(late: list[int], seconds: float) -> None:
    found = metrics(sent(late, 20, 0), job(20, seconds))
    assert sum(each["requests"] for each in found["over_time"]) == len(late)
    assert [each["second"] for each in found["over_time"]] == list(range(len(found["over_time"])))
    assert len(found["over_time"]) <= int(np.ceil(seconds))
    known = [each["max"] for each in found["over_time"] if each["requests"]]
    assert max(known) == pytest.approx(found["latency_ms"]["max"], abs=1e-3)


def test_a_second_without_requests_has_no_latencies() -> None:
    # The second request was due after one second.
    rows = [["0", "200", "1", "1", "1", ""], [str(2 * SECOND), "503", "1", "1", "1", "503 Busy"]]
    assert metrics(collect(rows), job(1, 3))["over_time"][1:] == [
        {"second": 1, "requests": 0, "errors": 0, "p50": None, "p99": None, "max": None},
        {"second": 2, "requests": 1, "errors": 1, "p50": 1000, "p99": 1000, "max": 1000},
    ]


def test_errors_are_of_one_kind_whatever_the_connections_own_port() -> None:
    text = "read tcp {}->10.0.0.2:80: read: connection reset by peer"
    own = ["10.0.0.1:40001", "10.0.0.1:40002", "[fd00::1]:40003"]
    rows = [["0", "0", "1", "0", "0", text.format(each)] for each in own]
    found = metrics(collect(rows), job(10, 1))
    kind = "read tcp 10.0.0.2:80: read: connection reset by peer"
    assert found["errors"] == [{"error": kind, "count": 3}]
    assert found["error_kinds"] == 1


def test_a_status_without_an_error_text_counts_as_an_error() -> None:
    found = metrics(hits([1.0] * 4, status="302"), job(100, 1))
    assert found["errors"] == [{"error": "status 302", "count": 4}]


RATE, INTERVAL = 1000, 10**6
# Less than an interval, so that none overtakes another.
SLIGHTLY_LATE = st.lists(st.integers(0, INTERVAL - 1), min_size=1, max_size=60)


@given(SLIGHTLY_LATE, st.data(), st.integers(0, 2 * 10**18))
def test_each_request_is_as_late_as_it_is_in_any_order_if_one_is_punctual(
    late: list[int], data: st.DataObject, origin: int
) -> None:
    late[data.draw(st.integers(0, len(late) - 1))] = 0
    sent = [(origin + n * INTERVAL + by, by) for n, by in enumerate(late)]
    recorded = data.draw(st.permutations(sent))
    assert lateness([at for at, _ in recorded], RATE).tolist() == [by for _, by in recorded]


@given(SLIGHTLY_LATE)
def test_where_none_is_punctual_lateness_is_understated_by_the_least(late: list[int]) -> None:
    found = lateness([n * INTERVAL + by for n, by in enumerate(late)], RATE)
    assert found.tolist() == [by - min(late) for by in late]


def test_schedule_is_vegetas_whole_nanoseconds() -> None:
    # A third of a second is 333,333,333 ns to its pacer.
    assert lateness([0, 333_333_333, 666_666_666 + 5], 3).tolist() == [0, 0, 5]
