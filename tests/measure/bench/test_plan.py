"""Which measurements a run consists of, and their order."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from measure.bench.serving.goals import GROSS
from measure.bench.serving.loads import FEW_CLIENTS, FULL, MODEL, MODELS, QUICK, Rate
from measure.bench.serving.payloads import Payload
from measure.bench.serving.runner import Runner, turns
from measure.bench.serving.session import minutes
from measure.bench.serving.subjects import FORMATS, PEERS, SUBJECTS, TRANSFORMERS


def everything() -> list[str]:
    return [str(turn.key) for step in turns(FULL, SUBJECTS, lambda _: True) for turn in step]


def test_nothing_is_measured_twice() -> None:
    assert len(everything()) == len(set(everything()))


def test_every_transformer_is_measured_with_every_load_and_one_small_image() -> None:
    loads = {str(step.load) for step in FULL if step.model == MODEL}
    for name in TRANSFORMERS:
        for load in loads:
            assert f"{MODEL}/{load}/1-png-32x32/{name}" in everything()


@pytest.mark.parametrize("model", MODELS)
def test_peers_and_formats_are_measured_with_the_same_loads(model: str) -> None:
    for load in ("rate100", *(f"clients{count}" for count in FEW_CLIENTS)):
        for name in {*PEERS, *FORMATS}:
            assert f"{model}/{load}/1-png-32x32/{name}" in everything()
    for name in PEERS:
        assert f"{model}/clients8/8-png-32x32/{name}" in everything()


def test_triton_alone_gets_no_images() -> None:
    assert not [key for key in everything() if "/triton-" in key and "png-32x32" not in key]


def test_every_subject_has_a_part_of_the_page() -> None:
    assert {each.name for each in SUBJECTS} == {*TRANSFORMERS, *PEERS, *FORMATS}


def test_a_full_run_takes_at_most_an_hour() -> None:
    assert minutes(turns(FULL, SUBJECTS, lambda _: True), rounds=3) <= 60


def test_a_quick_run_takes_at_most_ninety_seconds() -> None:
    assert minutes(turns(QUICK, SUBJECTS, lambda _: True), rounds=3) <= 1.5


def test_measurements_are_selected_by_name() -> None:
    found = turns(FULL, SUBJECTS, lambda key: fnmatch(str(key), "*/saturation/*/ours-*"))
    names = {turn.subject.name for step in found for turn in step}
    assert names == {"ours-http", "ours-grpc"}
    assert {str(step[0].step.load) for step in found} == {"saturation"}


def test_each_round_begins_with_another_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = turns(QUICK, SUBJECTS, lambda _: True)
    order = []
    for number in range(len(steps[0])):
        runner = Runner.__new__(Runner)
        monkeypatch.setattr(runner, "measure", lambda _: 0.0)
        order.append([turn.subject.name for turn, _ in runner.round(steps, number)])
    assert len({names[0] for names in order}) == len(order)
    assert len({frozenset(names) for names in order}) == 1


def test_the_quick_run_measures_what_its_limits_are_about() -> None:
    found = {turn.key for step in turns(QUICK, SUBJECTS, lambda _: True) for turn in step}
    assert {key for goal in GROSS for key in (goal.ours, *goal.others)} <= found


def test_the_quick_run_has_the_documented_rate() -> None:
    assert [step.load.a_second for step in QUICK if isinstance(step.load, Rate)] == [100]
    assert QUICK[0].payload == Payload(1)
