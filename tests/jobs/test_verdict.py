"""The verdict by values and objectives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.config import Objectives
from jobs.load.verdict import OVERLOADED, RATE_NOT_KEPT, Verdict, judge

MS = st.floats(min_value=0.001, max_value=1e6)
RATIO = st.floats(min_value=0, max_value=1)
OBJECTIVES = st.builds(
    Objectives,
    p99_ms=MS,
    success_ratio=st.floats(min_value=0.001, max_value=1),
    rate_ratio=st.floats(min_value=0.001, max_value=1),
)
RANK = {"fail": 0, "invalid": 1, "pass": 2}


def verdict(
    p99: float,
    success: float,
    rate: float,
    objectives: Objectives,
    service: float | None = None,
    *,
    overloaded: bool = False,
) -> Verdict:
    """`service`: p99 from the actual sends; the same as from the schedule unless it is given."""
    return judge(
        p99_ms=p99,
        service_p99_ms=p99 if service is None else min(service, p99),
        success_ratio=success,
        rate_ratio=rate,
        overloaded=overloaded,
        objectives=objectives,
    )


@given(MS, MS, RATIO, RATIO, OBJECTIVES)
def test_passes_exactly_when_every_objective_is_met(
    p99: float, service: float, success: float, rate: float, wanted: Objectives
) -> None:
    found = verdict(p99, success, rate, wanted, service)
    met = (p99 <= wanted.p99_ms, success >= wanted.success_ratio, rate >= wanted.rate_ratio)
    assert tuple(finding.met for finding in found.findings) == met
    assert found.passed == all(met)


@given(MS, MS, RATIO, RATIO, OBJECTIVES)
def test_a_rate_that_was_not_kept_is_invalid(
    p99: float, service: float, success: float, rate: float, wanted: Objectives
) -> None:
    found = verdict(p99, success, rate, wanted, service)
    assert (found.why == RATE_NOT_KEPT) == (rate < wanted.rate_ratio)
    assert (found.outcome == "invalid") == (found.why is not None)


@given(MS, MS, RATIO, RATIO, OBJECTIVES)
def test_an_overloaded_endpoint_that_does_not_keep_the_rate_has_failed(
    p99: float, service: float, success: float, rate: float, wanted: Objectives
) -> None:
    found = verdict(p99, success, rate, wanted, service, overloaded=True)
    assert (found.why == OVERLOADED) == (rate < wanted.rate_ratio)
    assert found.outcome == "fail" or rate >= wanted.rate_ratio


@given(OBJECTIVES, st.floats(1.001, 1000), st.floats(0, 1))
def test_a_miss_only_by_lateness_is_invalid(wanted: Objectives, over: float, under: float) -> None:
    late = verdict(wanted.p99_ms * over, 1, 1, wanted, wanted.p99_ms * under)
    assert late.outcome == "invalid"
    assert "lateness" in (late.why or "")


@given(OBJECTIVES, st.floats(1.001, 1000))
def test_a_miss_by_both_counts_is_a_failure(wanted: Objectives, over: float) -> None:
    assert verdict(wanted.p99_ms * over, 1, 1, wanted).outcome == "fail"


@given(MS, MS, OBJECTIVES)
def test_failed_requests_are_a_failure_despite_lateness(
    p99: float, service: float, wanted: Objectives
) -> None:
    assert verdict(p99, 0, 1, wanted, service).outcome == "fail"


@given(OBJECTIVES)
def test_a_value_equal_to_its_bound_is_met(wanted: Objectives) -> None:
    assert verdict(wanted.p99_ms, wanted.success_ratio, wanted.rate_ratio, wanted).passed


@given(MS, MS, MS, MS, RATIO, RATIO, OBJECTIVES)
def test_better_figures_never_give_a_worse_verdict_at_a_kept_rate(
    p1: float, p2: float, v1: float, v2: float, s1: float, s2: float, wanted: Objectives
) -> None:
    worse = verdict(max(p1, p2), min(s1, s2), 1, wanted, max(v1, v2))
    better = verdict(min(p1, p2), max(s1, s2), 1, wanted, min(v1, v2))
    assert RANK[better.outcome] >= RANK[worse.outcome]


@given(OBJECTIVES)
def test_nan_is_never_met(wanted: Objectives) -> None:
    nothing = float("nan")
    assert not any(item.met for item in verdict(nothing, nothing, nothing, wanted).findings)


def test_every_finding_has_the_value_and_its_bound() -> None:
    found = verdict(60, 1, 1, Objectives(50, 0.999, 0.99))
    assert list(map(str, found.findings)) == [
        "p99_ms: found 60, wanted at most 50: MISSED",
        "success_ratio: found 1, wanted at least 0.999: met",
        "rate_ratio: found 1, wanted at least 0.99: met",
    ]
    assert found.to_dict()["verdict"] == "fail"
    assert found.to_dict()["objectives"][0] == {
        "name": "p99_ms",
        "found": 60,
        "wanted": 50,
        "bound": "at most",
        "met": False,
    }
