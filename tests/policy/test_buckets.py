"""Buckets are private, uniform, versioned and protected; each rule sees its own breach alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policy.resources import BUCKET, REMOVED, broken, bucket, changed


def test_a_bucket_as_the_program_makes_it_keeps_every_rule() -> None:
    assert broken(BUCKET, bucket()) == {}


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("publicAccessPrevention", "inherited", "bucket-private"),
        ("publicAccessPrevention", REMOVED, "bucket-private"),
        ("uniformBucketLevelAccess", False, "bucket-uniform-access"),
        ("uniformBucketLevelAccess", REMOVED, "bucket-uniform-access"),
        ("uniformBucketLevelAccess", "true", "bucket-uniform-access"),
        ("versioning/enabled", False, "bucket-versioned"),
        ("versioning", {}, "bucket-versioned"),
        ("versioning", None, "bucket-versioned"),
        ("versioning", REMOVED, "bucket-versioned"),
    ],
)
def test_a_property_off_breaks_one_rule(path: str, value: Any, rule: str) -> None:
    assert list(broken(BUCKET, changed(bucket(), path, value))) == [rule]


def test_an_unprotected_bucket_is_seen() -> None:
    assert list(broken(BUCKET, bucket(), protect=False)) == ["bucket-protected"]


def test_only_buckets_are_to_be_protected() -> None:
    assert broken("gcp:storage/bucketObject:BucketObject", {"name": "a"}, protect=False) == {}


def test_a_message_says_what_was_found_and_how_to_mend_it() -> None:
    open_ = changed(bucket(), "publicAccessPrevention", "inherited")
    (message,) = broken(BUCKET, open_)["bucket-private"]
    assert message.startswith("publicAccessPrevention is inherited instead of enforced; set ")
