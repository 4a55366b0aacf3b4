"""The verdict is a function of what was found and what was wanted, and of nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from perf.job import Objectives
from perf.verdict import Verdict, judge

MS = st.floats(min_value=0.001, max_value=1e6)
RATIO = st.floats(min_value=0, max_value=1)
OBJECTIVES = st.builds(
    Objectives,
    p99_ms=MS,
    success_ratio=st.floats(min_value=0.001, max_value=1),
    rate_ratio=st.floats(min_value=0.001, max_value=1),
)
RANK = {"invalid": 0, "fail": 1, "pass": 2}


def verdict(p99: float, success: float, rate: float, objectives: Objectives) -> Verdict:
    return judge(p99_ms=p99, success_ratio=success, rate_ratio=rate, objectives=objectives)


@given(MS, RATIO, RATIO, OBJECTIVES)
def test_passes_exactly_when_every_objective_is_met(
    p99: float, success: float, rate: float, wanted: Objectives
) -> None:
    found = verdict(p99, success, rate, wanted)
    met = (p99 <= wanted.p99_ms, success >= wanted.success_ratio, rate >= wanted.rate_ratio)
    assert tuple(finding.met for finding in found.findings) == met
    assert found.passed == all(met)


@given(MS, RATIO, RATIO, OBJECTIVES)
def test_invalid_exactly_when_the_rate_was_not_kept(
    p99: float, success: float, rate: float, wanted: Objectives
) -> None:
    found = verdict(p99, success, rate, wanted)
    assert (found.outcome == "invalid") == (rate < wanted.rate_ratio)


@given(OBJECTIVES)
def test_what_is_just_reached_is_reached(wanted: Objectives) -> None:
    assert verdict(wanted.p99_ms, wanted.success_ratio, wanted.rate_ratio, wanted).passed


@given(MS, MS, RATIO, RATIO, RATIO, RATIO, OBJECTIVES)
def test_better_figures_never_make_it_worse(
    p1: float, p2: float, s1: float, s2: float, r1: float, r2: float, wanted: Objectives
) -> None:
    worse = verdict(max(p1, p2), min(s1, s2), min(r1, r2), wanted)
    better = verdict(min(p1, p2), max(s1, s2), max(r1, r2), wanted)
    assert RANK[better.outcome] >= RANK[worse.outcome]


@given(OBJECTIVES)
def test_what_is_no_number_is_never_met(wanted: Objectives) -> None:
    nothing = float("nan")
    assert not any(item.met for item in verdict(nothing, nothing, nothing, wanted).findings)


def test_every_objective_says_found_and_wanted() -> None:
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
