"""Error budgets: how fast is too fast."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infra.manifests.monitoring.slo import PAGE, TICKET, burning
from tests.infra.monitoring.cases import selectors


def ratio(window: str) -> str:
    return f"rate(bad[{window}])"


def test_over_thirty_days_burn_rates_are_the_workbooks() -> None:
    rates = [round(window.burn_rate(30), 9) for window in (*PAGE, *TICKET)]
    assert rates == [14.4, 6, 1]


@given(st.integers(7, 90))
def test_a_pace_that_keeps_the_objective_is_no_alarm(days: int) -> None:
    assert all(window.burn_rate(days) >= 1 for window in (*PAGE, *TICKET))


def test_both_windows_must_burn_and_any_pair_is_enough() -> None:
    assert burning(ratio, 0.001, PAGE, 30) == (
        "(rate(bad[1h]) > 0.0144 and rate(bad[5m]) > 0.0144)"
        " or (rate(bad[6h]) > 0.006 and rate(bad[30m]) > 0.006)"
    )


def test_a_budget_too_large_to_burn_that_fast_leaves_the_pair_out() -> None:
    assert burning(ratio, 0.1, PAGE, 30) == "(rate(bad[6h]) > 0.6 and rate(bad[30m]) > 0.6)"
    assert burning(ratio, 0.5, PAGE, 30) is None


def test_without_a_budget_nothing_burns() -> None:
    assert burning(ratio, 0, PAGE, 30) is None


@given(st.floats(0, 1), st.integers(7, 90))
def test_what_burns_is_promql_over_short_and_long_windows(budget: float, days: int) -> None:
    query = burning(ratio, budget, (*PAGE, *TICKET), days)
    assert query is None or len(selectors(query)) % 2 == 0
