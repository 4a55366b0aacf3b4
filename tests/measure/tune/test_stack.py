"""One model's settings of a stack's file, and where new ones go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from measure.tune.deployment import TuneError
from measure.tune.knobs import Knobs, changes
from measure.tune.stack import StackFile

ROOT = Path(__file__).parents[3]
ONE = """config:
  # shared
  kserve-triton:triton: {maxBatchSize: 16}
  kserve-triton:models:
    digits: {}
encryptionsalt: v1
"""
TWO = ONE.replace("digits: {}", "digits: {}\n    cifar10: {device: cpu}")
OWN = ONE.replace("digits: {}", "digits: {triton: {instances: 3}}")

knobs = st.builds(
    Knobs,
    instances=st.integers(1, 8),
    threads=st.integers(1, 8),
    queue_delay_microseconds=st.integers(0, 5000),
    preferred_batch_sizes=st.sampled_from([(), (8,), (4, 16)]),
)


def file(folder: Path, text: str) -> StackFile:
    path = folder / "Pulumi.test.yaml"
    path.write_text(text)
    return StackFile.read(path, "digits")


@pytest.mark.parametrize("text", [ONE, TWO, OWN], ids=["one model", "two models", "its own"])
@given(point=knobs)
def test_what_was_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, text: str, point: Knobs
) -> None:
    folder = tmp_path_factory.mktemp("stack")
    before = file(folder, text)
    wanted = point.on(before.settings)
    after = file(folder, before.edited(changes(before.settings, wanted)))
    assert after.settings == wanted


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_the_projects_own_stacks_keep_every_line_but_those_of_changed_settings(
    path: Path, tmp_path: Path
) -> None:
    digest = f"registry/\\g<1>@sha256:{'a' * 64}"
    filled_in = re.sub(r"<\S+/(\w+)@sha256:DIGEST>", digest, path.read_text())
    (model,) = yaml.safe_load(filled_in)["config"]["kserve-triton:models"]
    copy = tmp_path / path.name
    copy.write_text(filled_in)
    before = StackFile.read(copy, model)
    wanted = changes(before.settings, Knobs(7, 3, True, 321, (8,)).on(before.settings))
    lines = before.diff(before.edited(wanted)).splitlines()[2:]
    removed = [line for line in lines if line.startswith("-")]
    assert all(any(key[-1] in line for key in wanted) for line in removed)


def test_a_file_changed_since_the_read_is_not_written(tmp_path: Path) -> None:
    found = file(tmp_path, ONE)
    found.path.write_text(TWO)
    with pytest.raises(TuneError, match="has changed"):
        found.write(ONE)
    assert found.path.read_text() == TWO


def test_the_only_model_has_its_settings_at_the_stack(tmp_path: Path) -> None:
    found = file(tmp_path, ONE).edited({("triton", "instances"): 2})
    assert "kserve-triton:triton: {maxBatchSize: 16, instances: 2}\n" in found


def test_one_of_several_models_has_its_own_settings(tmp_path: Path) -> None:
    found = file(tmp_path, TWO).edited({("triton", "instances"): 2})
    assert "digits: {triton: {instances: 2}}\n" in found


def test_a_model_that_overrides_the_stack_still_does(tmp_path: Path) -> None:
    found = file(tmp_path, OWN).edited({("triton", "instances"): 2})
    assert "digits: {triton: {instances: 2}}\n" in found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ONE.replace("digits", "other"), "model digits: not in Pulumi.test.yaml; it has other"),
        (ONE.replace("16", "x"), "triton.maxBatchSize"),
        (f"{ONE[:8]}  kserve-triton:promotion: {{require: dev}}\n{ONE[8:]}", "promotion.require: "),
        ("- 1\n", "not a stack's file"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TuneError, match=said):
        file(tmp_path, text)
