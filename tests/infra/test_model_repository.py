"""The bucket and its objects, as the engine recorded them."""

from __future__ import annotations

from typing import Any

import pytest

from infra.components.model_repository import explain, other_bucket
from tests.infra.program import run


def test_the_bucket_is_private_versioned_and_forgets_only_what_was_deleted() -> None:
    bucket = run("dev").one(":Bucket")
    assert bucket["uniformBucketLevelAccess"] is True
    assert bucket["publicAccessPrevention"] == "enforced"
    assert bucket["versioning"] == {"enabled": True}
    assert bucket["softDeletePolicy"] == {"retentionDurationSeconds": 7 * 86400}
    (rule,) = bucket["lifecycleRules"]
    assert rule["condition"] == {"daysSinceNoncurrentTime": 30}
    assert bucket["project"] == "kserve-triton-dev"
    assert bucket["forceDestroy"] is False


def test_only_a_stack_that_says_so_empties_its_bucket() -> None:
    assert run("local").one(":Bucket")["forceDestroy"] is True
    assert (
        run("local", {"storage": {"forceDestroy": False}}).one(":Bucket")["forceDestroy"] is False
    )


def test_a_key_of_ones_own_encrypts() -> None:
    key = "projects/kserve-triton-dev/locations/europe-west4/keyRings/ring/cryptoKeys/models"
    bucket = run("dev", {"storage": {"kmsKey": key}}).one(":Bucket")
    assert bucket["encryption"] == {"defaultKmsKeyName": key}
    assert "encryption" not in run("dev").one(":Bucket")


def test_a_key_that_cloud_storage_may_not_use_is_explained() -> None:
    # Google's words, as the provider passes them on.
    error = "googleapi: Error 403: Permission denied on Cloud KMS key. Please ensure that your ..."
    text = explain(error)
    assert text is not None and "modelsKey" in text
    assert explain("googleapi: Error 409: Your previous request to create ...") is None


def test_objects_make_a_model_repository_named_by_version() -> None:
    engine = run("local")
    objects = engine.of(":BucketObject")
    uri = engine.exports["models"]["digits"]["storageUri"]
    prefix = uri.removeprefix("gs://kserve-triton-local/")
    version = prefix.rsplit("/", 1)[1]
    assert {item["name"].removeprefix(f"{prefix}/") for item in objects.values()} == {
        "digits/1/model.pt",
        "digits/config.pbtxt",
        "digits/labels/OUTPUT__0",
        "digits/warmup/INPUT__0",
    }
    assert all(version in name for name in objects)


def test_the_model_is_uploaded_from_its_file() -> None:
    objects = run("local").of(":BucketObject")
    (model,) = [item for name, item in objects.items() if name.endswith("model.pt")]
    assert model["source"].path == "build/digits/model.pt"


def test_members_get_one_role_on_one_prefix() -> None:
    writer = "serviceAccount:perf@kserve-triton-dev.iam.gserviceaccount.com"
    changes = {"storage": {"readers": ["user:a@example.com"], "resultWriters": [writer]}}
    members = run("local", changes).of(":BucketIAMMember").values()
    assert {item["role"] for item in members} == {
        "roles/storage.objectViewer",
        "roles/storage.objectCreator",
    }
    assert all("/objects/" in item["condition"]["expression"] for item in members)


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ({}, {"bucket": "new"}, False),
        ({"bucket": "old", "made": True}, {"bucket": "old"}, False),
        ({"bucket": "old", "made": True}, {"bucket": "new"}, True),
        ({"bucket": "old"}, {"bucket": "new"}, True),
        ({"bucket": "old", "made": False}, {"bucket": "new"}, False),
    ],
)
def test_a_bucket_that_the_stack_made_is_not_left_for_another(
    before: dict[str, Any], after: dict[str, Any], refused: bool
) -> None:
    assert bool(other_bucket(before, after)) == refused
