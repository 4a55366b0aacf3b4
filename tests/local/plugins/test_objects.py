"""Kubernetes objects: made, changed, replaced, removed; and previews of that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.plugins.wire import UNKNOWN
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, config_map, data, own, path
from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer


@own
def test_says_that_it_is_in_use(kubernetes: Plugin) -> None:
    assert any("stands in for the official one" in text for text in kubernetes.engine.messages)


@own
def test_refuses_other_types_by_name(kubernetes: Plugin) -> None:
    with pytest.raises(Failed, match="kubernetes:apps/v1:Deployment is not known"):
        kubernetes.check("kubernetes:apps/v1:Deployment", "x", {})


class TestConfigMap:
    def test_is_made_updated_and_removed(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        assert made.id == f"default/{name}"
        assert made["metadata"]["uid"]
        assert data(server, name) == {"key": "value"}

        labelled = config_map(name, labels={"a": "b"})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made)
        assert step.operations == ["update"]
        assert server.call("GET", path(name))["metadata"]["labels"] == {"a": "b"}

        kubernetes.delete(step.state)
        assert not server.has(path(name))
        assert kubernetes.refresh(step.state) is None
        kubernetes.delete(step.state)

    def test_twice_in_a_row_changes_nothing(self, kubernetes: Plugin) -> None:
        inputs = config_map(fresh("object"), labels={"a": "b"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, made).operations == []
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        assert refreshed.inputs == made.inputs
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, refreshed).operations == []

    @own
    def test_refresh_without_a_change_shows_none(self, kubernetes: Plugin) -> None:
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object"))).state
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        assert refreshed.outputs == made.outputs

    def test_what_leaves_the_program_leaves_the_object(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        inputs = config_map(name, labels={"stays": "1", "goes": "1"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        server.merge(path(name), {"metadata": {"labels": {"foreign": "1"}}})
        inputs["metadata"]["labels"].pop("goes")
        kubernetes.deploy(CONFIG_MAP, "map", inputs, made)
        labels = server.call("GET", path(name))["metadata"]["labels"]
        assert labels == {"stays": "1", "foreign": "1"}

    def test_new_data_replaces_and_deletes_first(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        changed = config_map(name, {"key": "other"})
        preview = kubernetes.deploy(CONFIG_MAP, "map", changed, made, preview=True)
        assert preview.operations == ["delete", "create"]
        assert data(server, name) == {"key": "value"}
        step = kubernetes.deploy(CONFIG_MAP, "map", changed, made)
        assert step.operations == ["delete", "create"]
        assert step.changes == {"data.key": "UPDATE_REPLACE"}
        assert data(server, name) == {"key": "other"}

    def test_new_name_makes_the_new_one_first(self, kubernetes: Plugin) -> None:
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object"))).state
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object")), made)
        assert step.operations == ["create", "delete"]
        assert step.changes == {"metadata.name": "UPDATE_REPLACE"}

    def test_without_a_name_gets_one_and_keeps_it(self, kubernetes: Plugin) -> None:
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map()).state
        name = made["metadata"]["name"]
        assert name.startswith("map-")
        assert len(name) == len("map-") + 8
        assert made["metadata"]["annotations"]["pulumi.com/autonamed"] == "true"
        assert kubernetes.deploy(CONFIG_MAP, "map", config_map(), made).operations == []
        kubernetes.delete(made)

    def test_the_namespace_is_the_kubeconfigs(self, kubernetes: Plugin) -> None:
        checked = kubernetes.check(CONFIG_MAP, "map", config_map("x"))
        assert checked.values["metadata"]["namespace"] == "default"
        assert checked.values["apiVersion"] == "v1"
        assert checked.values["kind"] == "ConfigMap"

    def test_one_that_is_there_already_is_not_taken_over(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name))
        with pytest.raises(Failed, match="exists"):
            kubernetes.deploy(CONFIG_MAP, "other", config_map(name, {"key": "mine"}))
        assert data(server, name) == {"key": "value"}

    @own
    def test_a_preview_says_so_too(self, kubernetes: Plugin) -> None:
        name = fresh("object")
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name))
        with pytest.raises(Failed, match="exists already"):
            kubernetes.deploy(CONFIG_MAP, "other", config_map(name), preview=True)


class TestPreview:
    def test_of_a_new_object_makes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(name), preview=True)
        assert step.state["data"] == {"key": "value"}
        assert not server.has(path(name))

    @own
    def test_leaves_open_what_only_the_object_will_have(self, kubernetes: Plugin) -> None:
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(fresh("object")), preview=True)
        assert step.state["metadata"]["uid"] is UNKNOWN

    def test_with_unknown_values_keeps_them_unknown(self, kubernetes: Plugin) -> None:
        inputs = config_map(fresh("object"), {"key": UNKNOWN})
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        assert step.state["data"]["key"] is UNKNOWN

    def test_of_a_change_changes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        labelled = config_map(name, labels={"a": "b"})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made, preview=True)
        assert step.operations == ["update"]
        assert step.state["metadata"]["labels"] == {"a": "b"}
        assert "labels" not in server.call("GET", path(name))["metadata"]

    def test_of_a_change_to_something_unknown(self, kubernetes: Plugin) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        labelled = config_map(name, labels={"a": UNKNOWN})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made, preview=True)
        assert step.state["metadata"]["labels"]["a"] is UNKNOWN

    def test_asks_the_server(self, kubernetes: Plugin) -> None:
        inputs = config_map("Not_A_Name")
        with pytest.raises(Failed, match="Not_A_Name"):
            kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)

    def test_in_a_namespace_that_is_yet_to_come(self, kubernetes: Plugin) -> None:
        inputs = config_map("map", namespace="not-there-yet")
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        assert step.state["data"] == {"key": "value"}
        if not OFFICIAL:
            assert step.state["metadata"]["uid"] is UNKNOWN

    @own
    def test_such_a_namespace_is_asked_about_once(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("later")
        inputs = config_map("map", namespace=name)
        kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        # The server would refuse this name if it were asked.
        unasked = config_map("Not_A_Name", namespace=name)
        kubernetes.deploy(CONFIG_MAP, "map", unasked, preview=True)
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        server.call("POST", "/api/v1/namespaces", body)
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs).state.id == f"{name}/map"
