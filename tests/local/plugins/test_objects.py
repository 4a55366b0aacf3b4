"""Objects that are the stack's own, as the official plugin treats them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.plugins.wire import UNKNOWN
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, MANAGER, apply_as, config_map, data, path
from tests.local.plugins.protocol import Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer


def labels(server: ApiServer, name: str) -> Any:
    return server.get(path(name))["metadata"].get("labels")


def label_as(server: ApiServer, name: str, manager: str, labels: dict[str, str | None]) -> None:
    """Set and remove labels as another field manager; kubectl's are named kubectl-…"""
    server.merge(f"{path(name)}?fieldManager={manager}", {"metadata": {"labels": labels}})


class TestObject:
    def test_is_made(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        assert made.id == f"default/{name}"
        assert made["metadata"]["uid"]
        assert data(server, name) == {"key": "value"}

    def test_is_kept_under_the_stacks_field_manager(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name))
        fields = server.get(path(name))["metadata"]["managedFields"]
        assert [field["manager"] for field in fields] == [MANAGER]

    def test_is_updated_in_place(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(name, labels={"a": "b"}), made)
        assert step.operations == ["update"]
        assert labels(server, name) == {"a": "b"}

    def test_is_removed(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        kubernetes.delete(made)
        assert not server.has(path(name))

    def test_that_is_gone_is_removed_without_an_error(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        server.request("DELETE", path(name))
        kubernetes.delete(made)

    def test_that_is_gone_is_seen_by_a_refresh(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        server.request("DELETE", path(name))
        assert kubernetes.refresh(made) is None

    def test_the_second_time_nothing_changes(self, kubernetes: Plugin) -> None:
        inputs = config_map(fresh("object"), labels={"a": "b"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, made).operations == []

    def test_after_a_refresh_nothing_changes(self, kubernetes: Plugin) -> None:
        inputs = config_map(fresh("object"), labels={"a": "b"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        refreshed = kubernetes.refreshed(made)
        assert refreshed.inputs == made.inputs
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, refreshed).operations == []

    def test_loses_what_leaves_the_program(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        inputs = config_map(name, labels={"stays": "1", "goes": "1"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, labels={"stays": "1"}), made)
        assert labels(server, name) == {"stays": "1"}

    def test_keeps_what_controllers_add(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        label_as(server, name, "controller", {"theirs": "1"})
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, labels={"ours": "1"}), made)
        assert labels(server, name) == {"ours": "1", "theirs": "1"}

    def test_loses_what_kubectl_adds_with_the_next_change(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        label_as(server, name, "kubectl-label", {"theirs": "1"})
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, labels={"ours": "1"}), made)
        assert labels(server, name) == {"ours": "1"}


class TestInterruptedUpdate:
    """An object of a killed update: it is in the cluster and not in the state."""

    def test_is_adopted(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        left = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        adopted = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        assert adopted["metadata"]["uid"] == left["metadata"]["uid"]

    def test_keeps_nothing_of_an_older_program(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, {"old": "1"}, labels={"old": "1"}))
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, {"new": "1"}))
        assert data(server, name) == {"new": "1"}
        assert labels(server, name) is None


class TestObjectOfAnother:
    def test_is_taken_over_without_a_question(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        apply_as(server, name, {"key": "theirs", "another": "theirs"}, "another-stack")
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name, {"key": "ours"}))
        assert data(server, name) == {"key": "ours", "another": "theirs"}


class TestDrift:
    @pytest.mark.parametrize("manager", ["kubectl-patch", "controller"])
    def test_is_seen_by_a_refresh_and_taken_back(
        self, kubernetes: Plugin, server: ApiServer, manager: str
    ) -> None:
        name = fresh("object")
        inputs = config_map(name, labels={"changed": "ours", "removed": "ours"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        label_as(server, name, manager, {"changed": "theirs", "removed": None})
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, kubernetes.refreshed(made))
        assert step.operations == ["update"]
        assert step.changes["metadata.labels.changed"] == "UPDATE"
        assert step.changes["metadata.labels.removed"] == "ADD"
        assert labels(server, name) == {"changed": "ours", "removed": "ours"}


class TestReplacement:
    def test_for_new_data_deletes_first(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(name, {"key": "other"}), made)
        assert step.operations == ["delete", "create"]
        assert step.changes == {"data.key": "UPDATE_REPLACE"}
        assert data(server, name) == {"key": "other"}

    def test_for_a_new_name_creates_first(self, kubernetes: Plugin) -> None:
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object"))).state
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object")), made)
        assert step.operations == ["create", "delete"]
        assert step.changes == {"metadata.name": "UPDATE_REPLACE"}


class TestPreview:
    def test_makes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(name), preview=True)
        assert step.state["data"] == {"key": "value"}
        assert not server.has(path(name))

    def test_changes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        labelled = config_map(name, labels={"a": "b"})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made, preview=True)
        assert step.operations == ["update"]
        assert step.state["metadata"]["labels"] == {"a": "b"}
        assert labels(server, name) is None

    def test_replaces_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        changed = config_map(name, {"key": "other"})
        step = kubernetes.deploy(CONFIG_MAP, "map", changed, made, preview=True)
        assert step.operations == ["delete", "create"]
        assert data(server, name) == {"key": "value"}

    def test_asks_the_server(self, kubernetes: Plugin) -> None:
        with pytest.raises(Failed, match="Not_A_Name"):
            kubernetes.deploy(CONFIG_MAP, "map", config_map("Not_A_Name"), preview=True)

    def test_works_in_a_namespace_that_is_yet_to_come(self, kubernetes: Plugin) -> None:
        inputs = config_map("map", namespace=fresh("namespace"))
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        assert step.state["data"] == {"key": "value"}

    def test_keeps_unknown_values_of_a_new_object_unknown(self, kubernetes: Plugin) -> None:
        inputs = config_map(fresh("object"), {"key": UNKNOWN})
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        assert step.state["data"]["key"] is UNKNOWN

    def test_keeps_unknown_values_of_a_change_unknown(self, kubernetes: Plugin) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        labelled = config_map(name, labels={"a": UNKNOWN})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made, preview=True)
        assert step.state["metadata"]["labels"]["a"] is UNKNOWN
