"""The lock over time: what is current, what one can go back to, what was proven."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from model.__main__ import main
from model.build import load
from release import lock
from release.promotion import read_verdicts
from release.schema import Release, ReleaseError, digest
from tests.releases import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = load("digits", TEST_ROOT / "build")
VERDICT = {"verdict": "pass", "objectives": {"p99Ms": 50.0}}


def releases(count: int) -> list[Release]:
    return [replace(DIGITS, accuracy=at / 100) for at in range(count)]


def digest_of(release: Release) -> str:
    return digest(release.to_json())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.lock.json"


def test_what_was_current_is_the_newest_of_the_earlier_ones(path: Path) -> None:
    made = releases(lock.EARLIER + 3)
    for each in made:
        lock.pin(path, each)
    known = [each["digest"] for each in lock.entries(lock.read(path), "digits")]
    assert known == [digest_of(each) for each in reversed(made)][: lock.EARLIER + 1]


def test_pinning_an_earlier_one_again_makes_it_current_and_keeps_its_proof(path: Path) -> None:
    first, second = releases(2)
    lock.pin(path, first)
    lock.prove(path, "digits", digest_of(first), "dev", VERDICT)
    lock.pin(path, second)
    lock.pin(path, first)
    models = lock.read(path)
    assert models["digits"]["proven"] == {"dev": VERDICT}
    assert [each["digest"] for each in models["digits"]["earlier"]] == [digest_of(second)]


def test_pinning_the_same_again_changes_nothing(path: Path) -> None:
    lock.pin(path, DIGITS)
    lock.prove(path, "digits", digest_of(DIGITS), "dev", VERDICT)
    before = path.read_bytes()
    lock.pin(path, DIGITS)
    assert path.read_bytes() == before


def test_an_earlier_release_is_found_by_the_beginning_of_its_digest(path: Path) -> None:
    first, second = releases(2)
    for each in (first, second):
        lock.pin(path, each)
    models = lock.read(path)
    assert lock.find(models, "digits", None)["digest"] == digest_of(second)
    assert lock.find(models, "digits", digest_of(first)[:12])["digest"] == digest_of(first)
    with pytest.raises(ReleaseError, match="12 digits or more"):
        lock.find(models, "digits", digest_of(first)[:11])
    with pytest.raises(ReleaseError, match=f"which has {digest_of(second)[:12]}"):
        lock.find(models, "digits", "0" * 12)


def test_a_verdict_is_of_one_release(path: Path) -> None:
    first, second = releases(2)
    for each in (first, second):
        lock.pin(path, each)
    lock.prove(path, "digits", digest_of(first), "dev", VERDICT)
    models = lock.read(path)
    assert "proven" not in models["digits"]
    assert models["digits"]["earlier"][0]["proven"] == {"dev": VERDICT}


def test_verdicts_are_read_from_a_stacks_outputs(path: Path, tmp_path: Path) -> None:
    lock.pin(path, DIGITS)
    outputs = tmp_path / "outputs.json"
    perf = {"verdict": "pass", "result": None, "objectives": {"p99Ms": 50.0}}
    models = {"digits": {"digest": digest_of(DIGITS)}}
    outputs.write_text(json.dumps({"models": models, "perf": {"digits": perf}}))
    arguments = ["prove", "--stack", "dev", "--outputs", str(outputs), "--lock", str(path)]
    assert main(arguments) == 0
    assert lock.read(path)["digits"]["proven"] == {"dev": VERDICT}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": {}, "perf": {"digits": {}}}'])
def test_what_are_no_outputs_is_said(text: str) -> None:
    with pytest.raises(ReleaseError, match="pulumi stack output --json"):
        read_verdicts(text)
