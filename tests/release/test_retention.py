"""Which old releases are removed from a bucket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release.lock import Entry, Lock, Verdict
from release.retention import Version, pinned_digests, removable
from release.schema import ReleaseError, short
from release.stacks import named_releases
from tests.release.examples import lock, releases

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = st.lists(
    st.builds(
        Version,
        created=st.integers(0, 50).map(lambda day: BEGIN + timedelta(days=day)),
        name=st.sampled_from(["a", "b"]),
        version=st.text("0123", min_size=4, max_size=4),
        release=st.sampled_from("defgh"),
    ),
    unique_by=lambda each: each.version,
    max_size=15,
)


@given(VERSIONS, st.sets(st.sampled_from("defgh")), st.integers(1, 4))
def test_what_is_pinned_and_the_last_few_of_each_model_stay(
    versions: list[Version], pins: set[str], keep: int
) -> None:
    gone = removable(versions, pins, keep)
    assert not {each.release for each in gone} & pins
    for name in "ab":
        own = [each for each in versions if each.name == name]
        left = {each.release for each in own if each not in gone}
        assert len(left) >= min(keep, len({each.release for each in own}))
        dropped = {each.release for each in own if each in gone}
        assert not left & dropped
        newest = {r: max(e.created for e in own if e.release == r) for r in left | dropped}
        for each in dropped:
            newer = [r for r in left if newest[r] >= newest[each]]
            assert len(newer) >= keep


@given(VERSIONS, st.integers(1, 4))
def test_a_second_round_removes_nothing(versions: list[Version], keep: int) -> None:
    gone = removable(versions, set(), keep)
    assert not removable([each for each in versions if each not in gone], set(), keep)


def test_the_release_and_canary_of_every_stack_are_pinned(tmp_path: Path) -> None:
    current, served, canary, _ = made = releases(4)
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {kserve-triton:models: {digits: {}}}")
    (tmp_path / "Pulumi.prod.yaml").write_text(
        f"config: {{kserve-triton:models: {{digits: {{release: '{short(served.digest)}', "
        f"canary: {{release: '{short(canary.digest)}'}}}}}}}}"
    )
    digests = [served.digest, canary.digest]
    assert named_releases(tmp_path) == [("digits", short(digest)) for digest in digests]
    assert pinned_digests(tmp_path, lock(*made)) == {current.digest, *digests}


def test_what_a_stack_serves_because_it_passed_is_pinned(tmp_path: Path) -> None:
    current, passed, passed_before = releases(3)
    dev = {"dev": Verdict("pass")}
    entries = (Entry.of(current, {}), Entry.of(passed, dev), Entry.of(passed_before, dev))
    found = pinned_digests(tmp_path, Lock(models={"digits": entries}))
    assert found == {current.digest, passed.digest}


@pytest.mark.parametrize("text", ["[1]", "config: [", "config: {kserve-triton:models: [digits]}"])
def test_a_stacks_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(text)
    with pytest.raises(ReleaseError, match=r"^Pulumi\.prod\.yaml can't be read: "):
        named_releases(tmp_path)


def test_a_pin_that_is_not_in_the_lock_stops_the_removal(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config: {kserve-triton:models: {digits: {release: aaaaaaaaaaaa}}}"
    )
    with pytest.raises(ReleaseError, match=r"allowed: one in models\.lock\.json"):
        pinned_digests(tmp_path, lock(*releases(1)))
