"""From the grid to a stack's settings and back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.config import ModelSettings, Predictor, Triton
from infra.config.backends import broken_rules
from measure.tune.grid import grid
from measure.tune.knobs import Knobs, changes, in_format, powers_of_two
from release.schema import Format

MOST = st.sampled_from([0, 1, 4, 8, 32, 64])


@given(MOST, st.integers(1, 64), st.booleans())
def test_every_point_of_the_grid_is_allowed_by_the_sections(
    most: int, cores: int, quick: bool
) -> None:
    settings = ModelSettings(triton=Triton(max_batch_size=most))
    for stage in grid(settings, cores, quick=quick):
        for change in stage.changes:
            knobs = Knobs(**change)
            assert Knobs.of(knobs.on(settings)) == knobs


def test_settings_that_stand_there_already_are_untouched() -> None:
    settings = ModelSettings(triton=Triton(instances=2, warmup_batch_sizes=(3,)))
    assert Knobs.of(settings).on(settings) is settings


def test_a_changed_point_warms_up_every_power_of_two() -> None:
    settings = ModelSettings(triton=Triton(max_batch_size=12, warmup_batch_sizes=(1, 3)))
    assert Knobs(2).on(settings).triton.warmup_batch_sizes == (1, 2, 3, 4, 8, 12)


def test_changes_are_the_settings_that_differ() -> None:
    settings = ModelSettings(triton=Triton(warmup_batch_sizes=(1, 2, 4, 8, 16, 32)))
    found = changes(settings, Knobs(threads=2, queue_delay_microseconds=500).on(settings))
    assert found == {
        ("triton", "queueDelayMicroseconds"): 500,
        ("triton", "parameters", "INTRA_OP_THREAD_COUNT"): 2,
    }


@pytest.mark.parametrize(
    ("env", "parameters", "threads"),
    [
        ({}, {}, 1),
        ({"OMP_NUM_THREADS": "4"}, {}, 4),
        ({"OMP_NUM_THREADS": "4,2"}, {}, 4),
        ({"OMP_NUM_THREADS": "many"}, {}, 1),
        ({"OMP_NUM_THREADS": "4"}, {"INTRA_OP_THREAD_COUNT": 2}, 2),
    ],
)
def test_threads_are_the_backends_own_count_or_the_pods(
    env: dict[str, str], parameters: dict[str, bool | int | str], threads: int
) -> None:
    settings = ModelSettings(predictor=Predictor(env=env), triton=Triton(parameters=parameters))
    assert Knobs.of(settings).threads == threads


def test_threads_are_set_by_the_parameter_of_the_formats_backend() -> None:
    settings = Knobs(threads=2).on(ModelSettings(), "onnx")
    assert settings.triton.parameters == {"intra_op_thread_count": 2}
    assert Knobs.of(settings, "onnx").threads == 2


def test_onnx_runtime_takes_all_cores_unless_it_is_told() -> None:
    settings = ModelSettings(predictor=Predictor(env={"OMP_NUM_THREADS": "4"}))
    assert Knobs.of(settings, "onnx").threads == 0
    assert str(Knobs.of(settings, "onnx")).startswith("1 × all")


@given(st.sampled_from(get_args(Format)), st.integers(1, 64))
def test_settings_in_another_format_have_no_parameters_of_the_first(
    format: Format, threads: int
) -> None:
    parameters = {"INTRA_OP_THREAD_COUNT": 9, "intra_op_thread_count": 9, "INFERENCE_MODE": True}
    settings = ModelSettings(triton=Triton(instances=2, parameters=parameters))
    found = in_format(settings, format, threads)
    assert Knobs.of(found, format) == Knobs(2, threads)
    assert not broken_rules(found.triton, format, found.device)


def test_a_gpu_gets_instances_and_no_threads() -> None:
    shapes = grid(ModelSettings.model_validate({"device": "gpu"}), 16)[0].changes
    assert shapes == ({"instances": 1}, {"instances": 2}, {"instances": 4})


def test_instances_times_threads_fit_the_cores_except_for_two_instances() -> None:
    shapes = grid(ModelSettings(), 1)[0].changes
    assert shapes == ({"instances": 1, "threads": 1}, {"instances": 2, "threads": 1})


def test_a_model_without_batches_has_no_batching_stages() -> None:
    settings = ModelSettings(triton=Triton(max_batch_size=0))
    assert [stage.name for stage in grid(settings, 2)] == ["instances × threads"]


@given(st.integers(1, 10_000))
def test_powers_of_two_end_at_the_number_itself(most: int) -> None:
    found = powers_of_two(most)
    assert found[0] == 1
    assert found[-1] == most
    assert all(later <= 2 * earlier for earlier, later in pairwise(found))


@pytest.mark.parametrize("given", [{"mode": "Knative"}, {"transformer": {"enabled": False}}])
def test_settings_that_are_refused_where_they_stand_are_not_added(given: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(given)
    changed = [Knobs(2).on(settings), in_format(settings, "onnx", 2)]
    assert all(each.model_fields_set - {"triton"} == given.keys() for each in changed)
