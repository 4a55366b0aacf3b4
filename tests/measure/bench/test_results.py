"""Cells of rounds, results of several runs, and ratios."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure.bench.serving.goals import GOALS, Goal, mean, ratio, requests_a_second
from measure.bench.serving.results import Cell, Key, Results, cell, read, written
from tests.measure.bench.cases import MACHINE, RUN, figures, results

RATE = ("cifar10", "rate100", "1-png-32x32")
OURS, SDK = Key(*RATE, "ours-http"), Key(*RATE, "sdk-json")
LATER = "2026-11-25T20:00:00+00:00"


def test_results_are_read_as_they_were_written() -> None:
    given_results = results(RATE, ("cifar10-resnet", "saturation", "1-png-32x32"))
    document = json.loads(json.dumps(written(given_results)))
    found = read(document)
    assert found.cells == given_results.cells
    assert json.loads(json.dumps(written(found))) == document


def test_an_empty_document_has_no_results() -> None:
    assert read({}) == Results()


@given(st.lists(st.floats(0.5, 1e4), min_size=1, max_size=7))
def test_a_cell_has_the_range_of_its_rounds(means: list[float]) -> None:
    found = cell(RUN, [figures(mean) for mean in means])
    assert found.figures
    low, high = found.mean_ms_range
    assert low <= found.figures.mean_ms <= high
    assert abs(low - min(means)) <= 1e-3 * low
    assert abs(high - max(means)) <= 1e-3 * high


def test_a_rate_that_most_rounds_could_not_keep_has_no_figures() -> None:
    assert cell(RUN, [figures(), 80.0, 90.0]) == Cell(RUN, 3, None, capacity=90.0)
    assert cell(RUN, [figures(), 80.0]).figures is None


def test_a_rate_that_most_rounds_kept_has_figures() -> None:
    found = cell(RUN, [figures(), 80.0, figures()])
    assert found.figures
    assert (found.figures.mean_ms, found.rounds) == (2.0, 2)


def test_a_new_measurement_replaces_only_its_own_cell() -> None:
    again = {OURS: Cell(LATER, 3, figures(9.0))}
    found = results(RATE).merged(LATER, MACHINE, again)
    assert found.cells[OURS] == again[OURS]
    assert found.cells[SDK] == results(RATE).cells[SDK]
    assert set(found.machines) == {RUN, LATER}


def test_a_run_without_cells_is_dropped() -> None:
    found = results(RATE).merged(LATER, MACHINE, results(RATE, run=LATER).cells)
    assert set(found.machines) == {LATER}


def test_a_ratio_is_ours_over_theirs() -> None:
    assert ratio(results(RATE), OURS, SDK, mean) == 7 / 4


def test_figures_of_different_runs_are_not_compared() -> None:
    mixed = results(RATE).merged(LATER, MACHINE, {OURS: Cell(LATER, 3, figures())})
    assert ratio(mixed, OURS, SDK, mean) is None


def test_a_cell_without_figures_is_not_compared() -> None:
    lacking = results(RATE).merged(RUN, MACHINE, {SDK: Cell(RUN, 3, None, capacity=60.0)})
    assert ratio(lacking, OURS, SDK, mean) is None
    assert ratio(Results(), OURS, SDK, mean) is None


def test_a_goal_at_least_is_met_above_and_one_at_most_below() -> None:
    most, least = (Goal("", OURS, (SDK,), mean, 2, at_most) for at_most in (True, False))
    assert [most.verdict(found) for found in (1.9, 2, 2.1)] == ["met", "met", "missed"]
    assert [least.verdict(found) for found in (1.9, 2, 2.1)] == ["missed", "met", "met"]


def test_every_goal_is_about_what_a_full_run_measures() -> None:
    from tests.measure.bench.test_plan import everything

    for goal in GOALS:
        assert {str(key) for key in (goal.ours, *goal.others)} <= set(everything())


def test_a_goal_compares_with_the_best_of_others_on_either_side() -> None:
    # The first subject is the fastest: its mean is 1 ms.
    others = (Key(*RATE, "triton-json"), SDK)
    assert Goal("", OURS, others, mean).found(results(RATE)) == 7
    assert Goal("", OURS, others, requests_a_second, at_most=False).found(
        results(RATE)
    ) == pytest.approx(1 / 7)


def test_a_goal_with_a_missing_cell_has_no_ratio() -> None:
    others = (Key(*RATE, "triton-json"), Key(*RATE, "none"))
    assert Goal("", OURS, others, mean).found(results(RATE)) is None
