"""Buckets and their members on the storage emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.plugins.wire import UNKNOWN
from tests.local.plugins.names import fresh
from tests.local.plugins.protocol import Failed, Plugin, Rejected, State

if TYPE_CHECKING:
    from tests.local.emulator import Storage

BUCKET = "gcp:storage/bucket:Bucket"
MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember"
READ = "roles/storage.objectViewer"
KSERVE = "serviceAccount:kserve@project.iam.gserviceaccount.com"
ONLY_MODELS = {
    "title": "only models",
    "expression": 'resource.name.startsWith("projects/_/buckets/b/objects/models/")',
}


def member(bucket: State) -> dict[str, Any]:
    """Inputs of a member of a bucket's policy."""
    return {"bucket": bucket.id, "role": READ, "member": KSERVE, "condition": ONLY_MODELS}


def test_reports_that_it_is_in_use(gcp: Plugin) -> None:
    assert any("own plugin is in use" in message for message in gcp.engine.messages)


def test_refuses_other_types_by_name(gcp: Plugin) -> None:
    with pytest.raises(Failed, match="gcp:pubsub/topic:Topic is not supported"):
        gcp.check("gcp:pubsub/topic:Topic", "topic", {})


def test_refuses_to_run_without_an_emulator() -> None:
    plugin = Plugin("gcp", {"STORAGE_EMULATOR_HOST": ""})
    with pytest.raises(Failed, match="storage emulator only"):
        plugin.configure()
    plugin.close()


def test_refuses_unknown_configuration(gcp: Plugin) -> None:
    with pytest.raises(Rejected, match="impersonateServiceAccount"):
        gcp.configure(impersonateServiceAccount="x")


class TestBucket:
    def test_has_the_official_outputs(self, bucket: State) -> None:
        assert bucket.id == bucket["name"]
        assert bucket["url"] == f"gs://{bucket.id}"
        assert bucket["selfLink"].endswith(f"/b/{bucket.id}")
        assert bucket["project"] == "local-project"

    def test_twice_in_a_row_changes_nothing(self, gcp: Plugin) -> None:
        inputs = {
            "name": fresh("bucket"),
            "location": "eu",
            "labels": {"team": "ml"},
            "versioning": {"enabled": True},
            "uniformBucketLevelAccess": True,
            "publicAccessPrevention": "enforced",
            "softDeletePolicy": {"retentionDurationSeconds": 604800},
            "lifecycleRules": [
                {"action": {"type": "Delete"}, "condition": {"daysSinceNoncurrentTime": 30}}
            ],
        }
        made = gcp.deploy(BUCKET, "models", inputs).state
        assert gcp.deploy(BUCKET, "models", inputs, made).operations == []
        refreshed = gcp.refresh(made)
        assert refreshed is not None
        assert refreshed.outputs == made.outputs
        assert refreshed.inputs == made.inputs
        assert gcp.deploy(BUCKET, "models", inputs, refreshed).operations == []

    def test_labels_change_in_place(self, gcp: Plugin, bucket: State) -> None:
        inputs = {"name": bucket.id, "location": "EU", "labels": {"team": "ml"}}
        step = gcp.deploy(BUCKET, "models", inputs, bucket)
        assert step.operations == ["update"]
        assert step.changes == {"labels": "ADD"}
        assert step.state["effectiveLabels"]["team"] == "ml"

    def test_location_replaces_and_deletes_first(self, gcp: Plugin, bucket: State) -> None:
        step = gcp.deploy(BUCKET, "models", {"name": bucket.id, "location": "US"}, bucket)
        assert step.operations == ["delete", "create"]
        assert step.changes == {"location": "UPDATE_REPLACE"}

    def test_needs_a_name_and_a_location(self, gcp: Plugin) -> None:
        with pytest.raises(Rejected) as caught:
            gcp.check(BUCKET, "models", {})
        assert set(caught.value.failures) == {"name", "location"}

    def test_preview_makes_nothing(self, gcp: Plugin) -> None:
        inputs = {"name": fresh("bucket"), "location": "EU", "labels": UNKNOWN}
        step = gcp.deploy(BUCKET, "models", inputs, preview=True)
        assert step.state["url"] == f"gs://{inputs['name']}"
        assert gcp.get(BUCKET, "models", str(inputs["name"])) is None

    def test_one_that_is_there_already_is_not_taken_over(self, gcp: Plugin, bucket: State) -> None:
        with pytest.raises(Failed, match="creating bucket"):
            gcp.deploy(BUCKET, "other", {"name": bucket.id, "location": "EU"})

    def test_with_objects_needs_force_to_be_deleted(self, gcp: Plugin, bucket: State) -> None:
        model = {"bucket": bucket.id, "name": "model.pt", "content": "x"}
        gcp.deploy("gcp:storage/bucketObject:BucketObject", "model", model)
        with pytest.raises(Failed, match="not empty"):
            gcp.delete(bucket)
        inputs = {"name": bucket.id, "location": "EU", "forceDestroy": True}
        forced = gcp.deploy(BUCKET, "models", inputs, bucket).state
        gcp.delete(forced)
        assert gcp.refresh(forced) is None
        gcp.delete(forced)

    def test_can_be_imported(self, gcp: Plugin, bucket: State) -> None:
        found = gcp.get(BUCKET, "models", f"local-project/{bucket.id}")
        assert found is not None
        assert found.id == bucket.id
        assert found.inputs.values["name"] == bucket.id

    def test_unknown_properties_are_refused(self, gcp: Plugin) -> None:
        inputs = {"name": "b", "location": "EU", "versioning": {"enable": True}, "cors": []}
        with pytest.raises(Rejected) as caught:
            gcp.check(BUCKET, "models", inputs)
        assert set(caught.value.failures) == {"versioning.enable", "cors"}


class TestMember:
    def test_is_in_the_policy_until_it_is_deleted(
        self, gcp: Plugin, bucket: State, storage: Storage
    ) -> None:
        made = gcp.deploy(MEMBER, "reader", member(bucket)).state
        assert made.id == f"b/{bucket.id}/{READ}/{KSERVE}/only models"
        (binding,) = storage.policies.get(bucket.id)["bindings"]
        assert binding == {"role": READ, "members": [KSERVE], "condition": ONLY_MODELS}
        gcp.delete(made)
        assert storage.policies.get(bucket.id)["bindings"] == []
        gcp.delete(made)

    def test_twice_in_a_row_changes_nothing(self, gcp: Plugin, bucket: State) -> None:
        made = gcp.deploy(MEMBER, "reader", member(bucket)).state
        refreshed = gcp.refresh(made)
        assert refreshed is not None
        assert gcp.deploy(MEMBER, "reader", member(bucket), refreshed).operations == []

    def test_another_member_replaces_it(self, gcp: Plugin, bucket: State) -> None:
        made = gcp.deploy(MEMBER, "reader", member(bucket)).state
        other = member(bucket) | {"member": "user:a@b.c"}
        assert gcp.deploy(MEMBER, "reader", other, made).operations == ["create", "delete"]

    def test_others_of_the_same_role_stay(
        self, gcp: Plugin, bucket: State, storage: Storage
    ) -> None:
        other = member(bucket) | {"member": "user:a@b.c"}
        made = gcp.deploy(MEMBER, "reader", member(bucket)).state
        gcp.deploy(MEMBER, "other", other)
        gcp.delete(made)
        (binding,) = storage.policies.get(bucket.id)["bindings"]
        assert binding["members"] == ["user:a@b.c"]

    def test_one_that_somebody_took_away_has_drifted(
        self, gcp: Plugin, bucket: State, storage: Storage
    ) -> None:
        made = gcp.deploy(MEMBER, "reader", member(bucket)).state
        storage.policies.set(bucket.id, {"bindings": []})
        assert gcp.refresh(made) is None

    def test_a_policy_ends_with_its_bucket(
        self, gcp: Plugin, bucket: State, storage: Storage
    ) -> None:
        gcp.deploy(MEMBER, "reader", member(bucket))
        gcp.delete(bucket)
        assert storage.policies.get(bucket.id)["bindings"] == []

    def test_needs_a_bucket(self, gcp: Plugin, bucket: State) -> None:
        with pytest.raises(Failed, match="does not exist"):
            gcp.deploy(MEMBER, "reader", member(bucket) | {"bucket": "nowhere"})

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"role": "roles/storage.admin"}, "role 'roles/storage.admin' is not supported here"),
            ({"condition": {"title": "x", "expression": "request.time < 1"}}, "condition 'request"),
        ],
    )
    def test_what_is_not_enforced_here_is_refused(
        self, gcp: Plugin, bucket: State, change: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(Failed, match=message):
            gcp.deploy(MEMBER, "reader", member(bucket) | change)

    def test_a_bad_member_is_refused(self, gcp: Plugin) -> None:
        with pytest.raises(Rejected, match="nobody"):
            gcp.check(MEMBER, "reader", {"bucket": "b", "role": "r", "member": "nobody"})
