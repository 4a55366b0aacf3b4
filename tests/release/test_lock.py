"""The lock over time: the current release, the earlier ones, and their verdicts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model.__main__ import main
from release import lock
from release.lock import Verdict
from release.promotion import read_verdicts
from release.schema import ReleaseError, short
from tests.release.examples import image, releases

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = image()
VERDICT = Verdict("pass", {"p99Ms": 50.0})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models.lock.json"


def digests(path: Path) -> list[str]:
    return [entry.digest for entry in lock.read(path).releases("digits")]


def test_the_current_release_becomes_the_newest_of_the_earlier_ones(path: Path) -> None:
    made = releases(lock.EARLIER + 3)
    for each in made:
        lock.pin(path, each)
    assert digests(path) == [each.digest for each in reversed(made)][: lock.EARLIER + 1]


def test_pinning_an_earlier_one_again_makes_it_current_and_keeps_its_verdict(path: Path) -> None:
    first, second = releases(2)
    lock.pin(path, first)
    lock.prove(path, "digits", first.digest, "dev", VERDICT)
    lock.pin(path, second)
    lock.pin(path, first)
    assert digests(path) == [first.digest, second.digest]
    assert lock.read(path).find("digits", None).proven == {"dev": VERDICT}


def test_pinning_the_same_again_changes_nothing(path: Path) -> None:
    lock.pin(path, DIGITS)
    lock.prove(path, "digits", DIGITS.digest, "dev", VERDICT)
    before = path.read_bytes()
    lock.pin(path, DIGITS)
    assert path.read_bytes() == before


def test_an_earlier_release_is_found_by_the_beginning_of_its_digest(path: Path) -> None:
    first, second = releases(2)
    for each in (first, second):
        lock.pin(path, each)
    pinned = lock.read(path)
    assert pinned.find("digits", None).digest == second.digest
    assert pinned.find("digits", short(first.digest)).digest == first.digest
    with pytest.raises(ReleaseError, match="12 digits or more"):
        pinned.find("digits", first.digest[:11])
    allowed = f"{short(second.digest)}, {short(first.digest)}"
    with pytest.raises(ReleaseError, match=f"allowed: one in models.lock.json, {allowed}"):
        pinned.find("digits", "0" * 12)
    with pytest.raises(ReleaseError, match="run: python -m model build cifar10 --pin"):
        pinned.find("cifar10", None)


def test_a_verdict_is_of_one_release(path: Path) -> None:
    first, second = releases(2)
    for each in (first, second):
        lock.pin(path, each)
    lock.prove(path, "digits", first.digest, "dev", VERDICT)
    assert [entry.proven for entry in lock.read(path).releases("digits")] == [{}, {"dev": VERDICT}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "found []; allowed: an object"),
        ("{}", "models: missing"),
        ('{"schema": 1, "models": {}}', "schema: found 1; allowed: 2"),
        ('{"models": {"digits": {}}}', "models.digits: found {}; allowed: a list"),
        ('{"models": {"digits": [{"digest": 1}]}}', "models.digits[0].digest: found 1; allowed: "),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(ReleaseError) as error:
        lock.read(path)
    assert f"{path}: {message}" in str(error.value)
    assert "restore it: git checkout models.lock.json" in str(error.value)


def test_verdicts_are_read_from_a_stacks_outputs(path: Path, tmp_path: Path) -> None:
    lock.pin(path, DIGITS)
    outputs = tmp_path / "outputs.json"
    perf = {"verdict": "pass", "result": None, "report": None, "objectives": {"p99Ms": 50.0}}
    models = {"digits": {"digest": DIGITS.digest}}
    outputs.write_text(json.dumps({"models": models, "perf": {"digits": perf}}))
    arguments = ["prove", "--stack", "dev", "--outputs", str(outputs), "--lock", str(path)]
    assert main(arguments) == 0
    assert lock.read(path).find("digits", None).proven == {"dev": VERDICT}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"models": {}, "perf": {"digits": {}}}'])
def test_other_outputs_are_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="pulumi stack output --json"):
        read_verdicts(text)
