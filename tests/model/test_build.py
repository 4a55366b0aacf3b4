"""A built release: `verify` and the other commands on it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from model import build as building
from model.__main__ import main
from release import files
from release.schema import Release, ReleaseError
from tests.releases import ROOT, TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    shutil.copytree(TEST_ROOT / "build", tmp_path / "build")
    shutil.copy(TEST_ROOT / "models.lock.json", tmp_path)
    return tmp_path / "build"


def verify(out: Path) -> Release:
    return building.verify("digits", out, out.parent / "models.lock.json")


def test_digits_reaches_its_accuracy_on_held_out_images() -> None:
    release = files.read_build(ROOT / "build", "digits")
    assert release.accuracy >= 0.95
    assert release.held_out == 360
    assert {sample.label for sample in release.samples} == set(release.labels)


def test_a_release_verifies_as_built(out: Path) -> None:
    assert verify(out).name == "digits"


def test_a_tampered_model_is_refused(out: Path) -> None:
    path = out / "digits" / "model.pt"
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(ReleaseError, match=r"model.pt: SHA-256"):
        verify(out)


def test_a_sample_with_another_answer_is_refused(out: Path) -> None:
    path = out / "digits" / "release.json"
    raw = json.loads(path.read_text())
    raw["samples"][3]["outputs"][0][0] += 1
    path.write_text(json.dumps(raw))
    (out.parent / "models.lock.json").unlink()
    with pytest.raises(ReleaseError, match="sample 3: output 0 differs by 1"):
        verify(out)


def test_a_release_that_is_not_the_pinned_one_is_refused(out: Path) -> None:
    path = out / "digits" / "release.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ReleaseError, match=r"is not the one that models\.lock\.json pins"):
        verify(out)


def test_a_mistake_on_the_command_line_gets_one_line(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "resnet", "--out", str(out)]) == 1
    assert capsys.readouterr().err == (
        "resnet: model 'resnet'; allowed: cifar10, digits, or a file of its own in "
        "model/definitions/\n"
    )
    assert main(["build", "digits", "--data", str(out), "--out", str(out)]) == 1
    assert main(["show", "digits", "--out", str(out / "none")]) == 1
    assert "run: python -m model build digits" in capsys.readouterr().err


def test_show_prints_the_signature(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "digits", "--out", str(out)]) == 0
    assert "FP32 [batch, 3, 32, 32]" in capsys.readouterr().out
