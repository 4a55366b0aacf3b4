"""Percentiles, medians and the search for the highest rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure.bench.results import medians
from measure.bench.serving.figures import SHARES, distribution, highest
from tests.measure.bench.cases import figures

LATENCIES = st.lists(st.floats(0.01, 1e5), min_size=1, max_size=300)


@given(LATENCIES)
def test_percentiles_are_measured_latencies_in_order(values: list[float]) -> None:
    found = distribution(np.array(values))
    assert set(found) <= set(values)
    assert list(found) == sorted(found)
    assert (found[0], found[-1]) == (min(values), max(values))


@given(LATENCIES)
def test_a_percentile_is_not_exceeded_by_its_share_of_requests(values: list[float]) -> None:
    for share, found in zip(SHARES, distribution(np.array(values)), strict=True):
        within = sum(value <= found for value in values)
        assert within >= len(values) * share / 100 - 1e-6


def test_a_load_without_a_good_answer_has_no_latencies() -> None:
    assert set(distribution(np.empty(0))) == {0.0}


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=9))
def test_medians_lie_among_the_runs(means: list[float]) -> None:
    found = medians([figures(mean) for mean in means])
    assert min(means) <= found.mean_ms <= max(means)
    assert min(means) <= found.at(0) <= max(means)


@given(st.floats(0.01, 100), st.floats(1e3, 1e6))
def test_one_disturbed_run_of_three_changes_nothing(mean: float, disturbed: float) -> None:
    calm, wild = figures(mean), figures(disturbed)
    assert medians([calm, wild, calm]) == calm


def test_medians_are_of_each_figure_by_itself() -> None:
    runs = [figures(1.0, 30.0), figures(2.0, 10.0), figures(3.0, 20.0)]
    found = medians(runs)
    assert (found.mean_ms, found.throughput) == (2.0, 20.0)
    assert found == replace(runs[1], throughput=20.0)


@given(st.floats(0.01, 1.0), st.integers(1, 12))
def test_the_search_finds_the_threshold_as_near_as_its_steps_allow(
    threshold: float, steps: int
) -> None:
    low, high = 0.001, 1.2
    found = highest(lambda rate: rate <= threshold, low, high, steps)
    assert found <= threshold
    assert threshold - found <= (high - low) / 2**steps + 1e-9


def test_the_search_finds_nothing_where_the_least_is_too_much() -> None:
    assert highest(lambda _: False, 1, 100, 5) == 0


@pytest.mark.parametrize("steps", [1, 5])
def test_the_search_tries_one_value_a_step_and_none_twice(steps: int) -> None:
    asked: list[float] = []

    def holds(rate: float) -> bool:
        asked.append(rate)
        return rate < 40

    assert highest(holds, 1, 100, steps) in asked
    assert len(asked) == len(set(asked)) == steps + 1
