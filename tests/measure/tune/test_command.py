"""The command after the measurement."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from measure.tune import __main__ as command
from measure.tune.deployment import TuneError
from measure.tune.knobs import Knobs
from measure.tune.report import Outcome
from measure.tune.search import Measured, winner
from measure.tune.stack import StackFile
from measure.tune.trial import Trial
from tests.releases import TEST_ROOT

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from infra.manifests.artefact import Artefact

STACK = "config:\n  # Kept.\n  kserve-triton:models: {digits: {}}\n"
FASTER = Knobs(queue_delay_microseconds=500)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.local.yaml"
    path.write_text(STACK)
    return path


def run(
    stack: Path,
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
    faster: float = 300,
    others: float = 0.0,
) -> int:
    """The command where the present point holds 200/s; the exit status."""

    def measured(file: StackFile, _: argparse.Namespace) -> Outcome:
        points = [
            Measured(knobs, rate, 10, (Trial(int(rate), rate, 1, 5, 10),))
            for knobs, rate in ((Knobs(), 200.0), (FASTER, faster))
        ]
        facts = {"model": file.model, "format": "torchscript", "others_cores": others}
        facts["bench"] = "deployed" if "--deployed" in options else "local Triton"
        return Outcome(facts, 50, points, Knobs(), winner(points, Knobs(), 1.05))

    monkeypatch.setattr(command, "_measured", measured)
    return command.main(["digits", "--stack", name(stack), "--root", str(stack.parent), *options])


def name(stack: Path) -> str:
    return stack.name.split(".")[1]


def test_yes_writes_what_wins(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(stack, monkeypatch, "--yes") == 0
    assert StackFile.read(stack, "digits").settings.triton.queue_delay_microseconds == 500
    assert stack.read_text().startswith(STACK)


def test_without_a_terminal_the_diff_is_shown_and_nothing_written(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "+    queueDelayMicroseconds: 500" in said
    assert "--yes" in said
    assert stack.read_text() == STACK


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("", False), ("no", False)])
def test_at_a_terminal_it_asks(
    stack: Path, monkeypatch: pytest.MonkeyPatch, answer: str, written: bool
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert run(stack, monkeypatch) == 0
    assert (stack.read_text() != STACK) is written


def test_settings_that_are_good_enough_are_left_alone(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, monkeypatch, "--yes", faster=205) == 0
    assert "already" in capsys.readouterr().out
    assert stack.read_text() == STACK


def test_a_disturbed_measurement_is_never_written(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, monkeypatch, "--yes", others=0.8) == 1
    assert "0.8 cores" in capsys.readouterr().out
    assert stack.read_text() == STACK


def test_the_picture_and_the_figures_are_kept(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(stack, monkeypatch)
    folder = stack.parent / "build" / "tune"
    assert sorted(each.name for each in folder.iterdir()) == ["digits.json", "digits.svg"]


def test_a_gpu_is_not_measured_on_this_machine(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.write_text(STACK.replace("config:", "config:\n  kserve-triton:device: gpu"))
    assert command.main(["digits", "--stack", name(stack), "--root", str(stack.parent)]) == 1
    assert "--deployed" in capsys.readouterr().err


def test_figures_of_this_machine_are_not_written_into_the_file_of_another_stack(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prod = stack.rename(stack.with_name("Pulumi.prod.yaml"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert run(prod, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "+    queueDelayMicroseconds: 500" in said
    assert "measure it there: make tune MODEL=digits STACK=prod TUNE=--deployed" in said
    assert "Triton 2.51" in said
    assert prod.read_text() == STACK


def test_what_was_measured_on_a_stack_is_written_into_its_file(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prod = stack.rename(stack.with_name("Pulumi.prod.yaml"))
    assert run(prod, monkeypatch, "--deployed", "--yes") == 0
    assert StackFile.read(prod, "digits").settings.triton.queue_delay_microseconds == 500
    assert "Triton 2.51" not in capsys.readouterr().out


def test_yes_for_another_stack_is_refused_before_anything_is_measured(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prod = stack.rename(stack.with_name("Pulumi.prod.yaml"))
    words = ["digits", "--stack", "prod", "--root", str(prod.parent), "--cores", "1", "--yes"]
    assert command.main(words) == 1
    assert "add --deployed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("promotion", "options", "number"),
    [
        ("{}", ["--deployed", "--yes"], 0),
        ("{requires: dev}", ["--deployed", "--yes"], 1),
        ("{requires: dev, override: dev is down}", ["--deployed", "--yes"], 0),
        # On this machine a release is tuned before it has passed.
        ("{requires: dev}", [], 0),
    ],
)
def test_the_release_that_the_stack_serves_is_measured(
    stack: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    promotion: str,
    options: list[str],
    number: int,
) -> None:
    root = stack.parent
    shutil.copytree(TEST_ROOT / "build", root / "build")
    lock = json.loads((TEST_ROOT / "models.lock.json").read_text())
    lock["models"]["digits"][1]["proven"] = {"dev": {"verdict": "pass"}}
    (root / "models.lock.json").write_text(json.dumps(lock))
    stack.write_text(f"{STACK}  kserve-triton:promotion: {promotion}\n")

    def deployment(_file: StackFile, artefact: Artefact, *_: object) -> None:
        raise TuneError(f"would measure {artefact.digest}")

    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.setattr(command, "_deployment", deployment)
    words = ["digits", "--stack", name(stack), "--root", str(root), *options]
    assert command.main(words) == 1
    assert f"would measure {lock['models']['digits'][number]['digest']}" in capsys.readouterr().err
