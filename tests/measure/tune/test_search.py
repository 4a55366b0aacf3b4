"""The search alone, on surfaces whose best point is known."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from infra.config import ModelSettings
from measure.tune.grid import Stage, grid
from measure.tune.knobs import Knobs
from measure.tune.search import LEAST, MOST, Measured, confirmed, highest_rate, sweep, winner

rates = st.floats(1, 1e5)
points = st.builds(
    Knobs,
    instances=st.sampled_from([1, 2, 4]),
    threads=st.sampled_from([1, 2]),
    queue_delay_microseconds=st.sampled_from([0, 500]),
)


@given(st.integers(LEAST, MOST), st.floats(1, 2 * MOST), st.floats(1.01, 1.5))
def test_the_rate_found_held_and_is_within_the_resolution_of_the_highest(
    capacity: int, start: float, resolution: float
) -> None:
    asked: list[int] = []
    found = highest_rate(lambda rate: asked.append(rate) or rate <= capacity, start, resolution)
    assert found in asked
    assert found <= capacity <= max(found * resolution, found + 1)


@given(st.integers(0, LEAST - 1), st.floats(1, 2 * MOST))
def test_where_not_even_the_least_rate_holds_there_is_none(capacity: int, start: float) -> None:
    assert highest_rate(lambda rate: rate <= capacity, start, 1.05) == 0


@given(st.integers(LEAST, MOST), st.floats(1, 2 * MOST))
def test_a_rate_takes_few_trials_from_anywhere(capacity: int, start: float) -> None:
    asked: list[int] = []
    highest_rate(lambda rate: asked.append(rate) or rate <= capacity, start, 1.05)
    assert len(asked) <= 17


def test_a_start_near_the_answer_takes_few_trials() -> None:
    asked: list[int] = []
    highest_rate(lambda rate: asked.append(rate) or rate <= 1900, 1910, 1.05)
    assert len(asked) <= 5


@given(st.data())
def test_the_best_of_the_whole_grid_is_found_where_stages_do_not_interact(
    data: st.DataObject,
) -> None:
    stages = grid(ModelSettings(), 4)
    gains = [
        [data.draw(st.floats(0.5, 2), label=stage.name) for _ in stage.changes] for stage in stages
    ]

    def surface(knobs: Knobs) -> float:
        gain = 1000.0
        for stage, factors in zip(stages, gains, strict=True):
            if stage.batched and not knobs.dynamic_batching:
                continue
            for change, factor in zip(stage.changes, factors, strict=True):
                # A stage that begins by what the point before it has says so in this order.
                if all(getattr(knobs, name) == value for name, value in change.items()):
                    gain *= factor
                    break
        return gain

    batched = [stage for stage in stages if not stage.batched]
    found = sweep(Knobs(), batched, lambda knobs, _: Measured(knobs, surface(knobs), 1))
    everything = [
        Knobs(**{name: value for change in chosen for name, value in change.items()})
        for chosen in product(*(stage.changes for stage in batched))
    ]
    assert max(each.rate for each in found) == max(map(surface, everything))


def test_no_point_is_measured_twice() -> None:
    seen: list[Knobs] = []

    def measure(knobs: Knobs, _: float) -> Measured:
        seen.append(knobs)
        return Measured(knobs, 100, 1)

    sweep(Knobs(), grid(ModelSettings(), 4), measure)
    assert len(seen) == len(set(seen))


def test_where_the_start_cannot_be_measured_nothing_else_is_tried() -> None:
    failed = Measured(Knobs(), 0, 0, failure="nobody answers")
    assert sweep(Knobs(), grid(ModelSettings(), 4), lambda *_: failed) == [failed]


def test_a_point_begins_at_the_best_rate_so_far() -> None:
    hints: list[float] = []

    def measure(knobs: Knobs, hint: float) -> Measured:
        hints.append(hint)
        return Measured(knobs, {1: 100, 2: 300, 4: 200}[knobs.instances], 1)

    stage = Stage("instances", ({"instances": 2}, {"instances": 4}))
    sweep(Knobs(), [stage], measure)
    assert hints == [0, 100, 300]


def test_preferred_sizes_are_not_tried_where_not_batching_is_best() -> None:
    found = sweep(
        Knobs(),
        grid(ModelSettings(), 1),
        lambda knobs, _: Measured(knobs, 100 if knobs.dynamic_batching else 200, 1),
    )
    assert {each.knobs.preferred_batch_sizes for each in found} == {()}


@given(st.dictionaries(points, rates, min_size=1), st.floats(1, 1.5))
def test_the_winner_is_never_further_from_the_best_than_the_margin(
    surface: dict[Knobs, float], apart: float
) -> None:
    found = winner([Measured(k, rate, 1) for k, rate in surface.items()], Knobs(), apart)
    assert found is not None
    assert found.rate * apart >= max(surface.values())


@given(st.dictionaries(points, rates, min_size=1), st.floats(1, 1.5))
def test_a_present_point_within_the_margin_wins(surface: dict[Knobs, float], apart: float) -> None:
    present = next(iter(surface))
    surface[present] = max(surface.values()) / apart * 1.0001
    found = winner([Measured(k, rate, 1) for k, rate in surface.items()], present, apart)
    assert found is not None
    assert found.knobs == present


def test_nothing_wins_where_nothing_holds() -> None:
    failed = Measured(Knobs(), 50, 1, failure="it doesn't load")
    assert winner([Measured(Knobs(2), 0, 0), failed], Knobs(), 1.05) is None


def test_two_measurements_count_by_their_mean() -> None:
    once, again = Measured(Knobs(), 100, 20), Measured(Knobs(), 200, 10)
    assert confirmed(once, again).rate == 150
    assert confirmed(once, again).p99_ms == 20
