"""Rules for buckets: private, access by IAM only, versioned, protected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.access import public_grants
from policy.properties import at
from policy.rule import Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET = "gcp:storage/bucket:Bucket"


def _private(resource: Resource) -> Iterable[str]:
    if resource.type == BUCKET:
        found = at(resource.properties, "publicAccessPrevention")
        if found != "enforced":
            yield f"publicAccessPrevention is {found or 'unset'} instead of enforced"
    yield from public_grants(resource)


def _uniform(resource: Resource) -> Iterable[str]:
    if resource.type == BUCKET and at(resource.properties, "uniformBucketLevelAccess") is not True:
        yield "uniformBucketLevelAccess is not true: objects may have their own access lists"


def _versioned(resource: Resource) -> Iterable[str]:
    if resource.type == BUCKET and at(resource.properties, "versioning", "enabled") is not True:
        yield "versioning.enabled is not true: overwritten objects are lost"


def _protected(resource: Resource) -> Iterable[str]:
    if resource.type == BUCKET and not resource.protect:
        yield "the bucket is not protected: destroying or replacing it deletes its releases"


RULES = (
    Rule(
        "bucket-private",
        "Nothing in Google Cloud is open to the public.",
        "set public_access_prevention='enforced' and name users, groups or service accounts",
        _private,
    ),
    Rule(
        "bucket-uniform-access",
        "Only IAM decides who may read a bucket.",
        "set uniform_bucket_level_access=True",
        _uniform,
    ),
    Rule(
        "bucket-versioned",
        "Overwritten and deleted objects can be restored.",
        "set versioning={'enabled': True}",
        _versioned,
    ),
    Rule(
        "bucket-protected",
        "A bucket is never deleted by accident.",
        "protect it: pulumi config set --path storage.protect true",
        _protected,
    ),
)
