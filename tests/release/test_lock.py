"""The lock over time: the current release, the earlier ones, and their verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from release import lock
from release.lock import Verdict
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


def test_a_release_that_a_stack_serves_stays_however_many_are_pinned_after_it(path: Path) -> None:
    passed, named, canary, *others = releases(lock.EARLIER + 6)
    (path.parent / "Pulumi.prod.yaml").write_text(
        f"config: {{kserve-triton:models: {{digits: {{release: '{short(named.digest)}', "
        f"canary: {{release: '{canary.digest}'}}}}}}}}"
    )
    for each in (passed, named, canary):
        lock.pin(path, each)
    lock.prove(path, "digits", passed.digest, "dev", VERDICT)
    for each in others:
        lock.pin(path, each)
    kept = [each.digest for each in reversed(others)][: lock.EARLIER + 1]
    assert digests(path) == [*kept, canary.digest, named.digest, passed.digest]


def test_a_release_that_passed_before_a_newer_one_did_is_no_more_than_an_earlier_one(
    path: Path,
) -> None:
    passed, newer, *others = releases(lock.EARLIER + 4)
    for each in (passed, newer):
        lock.pin(path, each)
        lock.prove(path, "digits", each.digest, "dev", VERDICT)
    for each in others:
        lock.pin(path, each)
    assert newer.digest in digests(path)
    assert passed.digest not in digests(path)


def test_a_stacks_file_may_name_a_release_that_is_not_pinned_yet(path: Path) -> None:
    (path.parent / "Pulumi.dev.yaml").write_text(
        "config: {kserve-triton:models: {digits: {release: aaaaaaaaaaaa}}}"
    )
    lock.pin(path, DIGITS)
    assert digests(path) == [DIGITS.digest]


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


def test_the_newest_pass_is_that_of_one_stack(path: Path) -> None:
    first, second, third = releases(3)
    for each in (first, second, third):
        lock.pin(path, each)
    lock.prove(path, "digits", first.digest, "dev", VERDICT)
    lock.prove(path, "digits", second.digest, "dev", Verdict("fail"))
    lock.prove(path, "digits", third.digest, "staging", VERDICT)
    pinned = lock.read(path)
    found = {stack: pinned.newest_pass("digits", stack) for stack in ("dev", "staging", "prod")}
    assert {stack: entry and entry.digest for stack, entry in found.items()} == {
        "dev": first.digest,
        "staging": third.digest,
        "prod": None,
    }


def test_a_failure_is_recorded_and_does_not_withdraw_a_pass(path: Path) -> None:
    lock.pin(path, DIGITS)
    assert lock.prove(path, "digits", DIGITS.digest, "dev", Verdict("fail"))
    assert lock.read(path).find("digits", None).verdict("dev") == "fail"
    assert lock.prove(path, "digits", DIGITS.digest, "dev", VERDICT)
    assert not lock.prove(path, "digits", DIGITS.digest, "dev", Verdict("fail"))
    assert lock.read(path).find("digits", None).proven == {"dev": VERDICT}
