"""Patches: some fields of an object that others use too, as the official plugin treats them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP_PATCH, apply_as, data, patch, path
from tests.local.plugins.protocol import Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

NAMESPACE_PATCH = "kubernetes:core/v1:NamespacePatch"
THEIRS = {"_example": "text", "registries-skipping-tag-resolving": "kind.local,ko.local,dev.local"}
WANTED = {"registries-skipping-tag-resolving": "kind.local,ko.local,dev.local,nvcr.io"}
OURS = {"progress-deadline": "900s"}


@pytest.fixture
def theirs(server: ApiServer) -> str:
    """A ConfigMap of another field manager."""
    name = fresh("config-deployment")
    apply_as(server, name, THEIRS, "installer")
    return name


class TestConfigMapPatch:
    def test_adds_its_keys(self, kubernetes: Plugin, server: ApiServer, theirs: str) -> None:
        kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS))
        assert data(server, theirs) == THEIRS | OURS

    def test_gives_its_keys_up_and_leaves_the_rest_alone(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        before = server.get(path(theirs))
        kubernetes.delete(kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS)).state)
        after = server.get(path(theirs))
        assert after["data"] == before["data"]
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert "annotations" not in after["metadata"]

    def test_changes_keys_in_place(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS)).state
        changed = {"progress-deadline": "60s", "another": "1"}
        step = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, changed), made)
        assert step.operations == ["update"]
        assert data(server, theirs) == THEIRS | changed

    def test_what_leaves_the_program_leaves_the_object(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        inputs = patch(theirs, OURS | {"another": "1"})
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", inputs).state
        step = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS), made)
        assert step.operations == ["update"]
        assert data(server, theirs) == THEIRS | OURS

    def test_another_value_than_theirs_is_refused_with_their_name_and_the_field(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        with pytest.raises(Failed, match="conflict") as caught:
            kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, WANTED))
        assert 'conflict with "installer"' in str(caught.value)
        assert ".data.registries-skipping-tag-resolving" in str(caught.value)
        assert data(server, theirs) == THEIRS

    def test_force_takes_over(self, kubernetes: Plugin, server: ApiServer, theirs: str) -> None:
        kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, WANTED, force=True))
        assert data(server, theirs) == THEIRS | WANTED

    def test_two_stacks_with_other_values_are_told_apart_by_their_managers(
        self, kubernetes: Plugin, theirs: str
    ) -> None:
        first = kubernetes.deploy(CONFIG_MAP_PATCH, "first", patch(theirs, {"digits": "first"}))
        with pytest.raises(Failed, match="conflict") as caught:
            kubernetes.deploy(CONFIG_MAP_PATCH, "second", patch(theirs, {"digits": "second"}))
        assert first.state["__fieldManager"].startswith("pulumi-kubernetes-")
        assert f'conflict with "{first.state["__fieldManager"]}"' in str(caught.value)

    def test_of_two_stacks_with_equal_values_the_second_keeps_them(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        first = kubernetes.deploy(CONFIG_MAP_PATCH, "first", patch(theirs, OURS)).state
        second = kubernetes.deploy(CONFIG_MAP_PATCH, "second", patch(theirs, OURS)).state
        kubernetes.delete(first)
        assert data(server, theirs) == THEIRS | OURS
        kubernetes.delete(second)
        assert data(server, theirs) == THEIRS

    def test_makes_an_object_that_is_absent(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("config-deployment")
        kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(name, OURS))
        assert data(server, name) == OURS

    def test_an_object_that_it_made_stays_without_its_keys(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("config-deployment")
        kubernetes.delete(kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(name, OURS)).state)
        assert not data(server, name)

    def test_of_an_object_that_is_gone_is_gone(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("config-deployment")
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(name, OURS)).state
        server.request("DELETE", path(name))
        assert kubernetes.refresh(made) is None

    def test_of_an_object_that_is_gone_makes_it_anew_when_deleted(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("config-deployment")
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(name, OURS)).state
        server.request("DELETE", path(name))
        kubernetes.delete(made)
        assert not data(server, name)

    def test_in_a_namespace_that_is_gone_fails_to_be_deleted(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("namespace")
        kubernetes.deploy(NAMESPACE_PATCH, "namespace", namespace(name))
        inputs = patch("claims", OURS)
        inputs["metadata"]["namespace"] = name
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", inputs).state
        remove_namespace(server, name)
        with pytest.raises(Failed, match=f'namespaces "{name}" not found'):
            kubernetes.delete(made)

    def test_a_key_that_somebody_removed_is_put_back_after_a_refresh(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS)).state
        server.merge(path(theirs), {"data": {"progress-deadline": None}})
        step = kubernetes.deploy(
            CONFIG_MAP_PATCH, "patch", patch(theirs, OURS), kubernetes.refreshed(made)
        )
        assert step.operations == ["update"]
        assert data(server, theirs) == THEIRS | OURS

    def test_the_second_time_changes_nothing(self, kubernetes: Plugin, theirs: str) -> None:
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS)).state
        step = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS), made)
        assert step.operations == []

    def test_changes_to_their_keys_are_no_drift(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        made = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS)).state
        apply_as(server, theirs, {"another": "1"}, "installer")
        refreshed = kubernetes.refreshed(made)
        assert refreshed.inputs == made.inputs
        step = kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS), refreshed)
        assert step.operations == []

    def test_a_preview_touches_nothing(
        self, kubernetes: Plugin, server: ApiServer, theirs: str
    ) -> None:
        before = server.get(path(theirs))
        kubernetes.deploy(CONFIG_MAP_PATCH, "patch", patch(theirs, OURS), preview=True)
        assert server.get(path(theirs)) == before


class TestNamespacePatch:
    def test_makes_a_namespace_that_is_absent(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("namespace")
        kubernetes.deploy(NAMESPACE_PATCH, "namespace", namespace(name))
        assert server.has(f"/api/v1/namespaces/{name}")

    def test_leaves_the_namespace_there(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("namespace")
        kubernetes.delete(kubernetes.deploy(NAMESPACE_PATCH, "namespace", namespace(name)).state)
        found = server.get(f"/api/v1/namespaces/{name}")
        assert "deletionTimestamp" not in found["metadata"]


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def remove_namespace(server: ApiServer, name: str) -> None:
    """What `kubectl delete namespace` and the controller behind it do."""
    path = f"/api/v1/namespaces/{name}"
    server.request("DELETE", f"{path}/configmaps")
    server.request("DELETE", path)
    server.request("PUT", f"{path}/finalize", {**namespace(name), "spec": {"finalizers": []}})
