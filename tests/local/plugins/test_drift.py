"""Kubernetes objects that somebody else changed, or made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, config_map, own, path
from tests.local.plugins.protocol import Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer


class TestDrift:
    def test_is_seen_by_a_refresh_and_mended(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        inputs = config_map(name, labels={"a": "b", "c": "d"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        server.merge(path(name), {"metadata": {"labels": {"a": "changed", "c": None}}})
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, made).operations == []
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        annotated = config_map(
            name,
            labels={"a": "b", "c": "d"},
            annotations={"pulumi.com/patchForce": "true"},
        )
        step = kubernetes.deploy(CONFIG_MAP, "map", annotated, refreshed)
        assert step.operations == ["update"]
        assert step.changes["metadata.labels.a"] == "UPDATE"
        assert step.changes["metadata.labels.c"] == "ADD"
        labels = server.call("GET", path(name))["metadata"]["labels"]
        assert labels == {"a": "b", "c": "d"}

    def test_a_conflict_names_the_field_and_the_manager(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name, labels={"a": "b"})).state
        server.apply(
            path(name),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {"a": "theirs"}},
            },
            "their-tool",
            force=True,
        )
        changed = config_map(name, labels={"a": "ours"})
        with pytest.raises(Failed, match="their-tool") as caught:
            kubernetes.deploy(CONFIG_MAP, "map", changed, made)
        assert ".metadata.labels.a" in str(caught.value)
        forced = config_map(
            name, labels={"a": "ours"}, annotations={"pulumi.com/patchForce": "true"}
        )
        kubernetes.deploy(CONFIG_MAP, "map", forced, made)
        assert server.call("GET", path(name))["metadata"]["labels"] == {"a": "ours"}

    def test_an_object_that_is_gone_is_made_again(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("object")
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        server.call("DELETE", path(name))
        assert kubernetes.refresh(made) is None


class TestReading:
    def test_get_finds_what_somebody_else_made(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
        server.apply(path(name), {**body, "metadata": {"name": name}}, "their-tool")
        found = kubernetes.get(CONFIG_MAP, "map", f"default/{name}")
        assert found is not None
        assert found["data"] == {"a": "b"}

    def test_get_of_nothing_is_nothing(self, kubernetes: Plugin) -> None:
        assert kubernetes.get(CONFIG_MAP, "map", "default/nothing") is None

    @own
    def test_an_import_matches_the_program(self, kubernetes: Plugin) -> None:
        name = fresh("object")
        inputs = config_map(name, labels={"a": "b"})
        kubernetes.deploy(CONFIG_MAP, "map", inputs)
        found = kubernetes.get(CONFIG_MAP, "map", name)
        assert found is not None
        assert found.id == f"default/{name}"
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, found).operations == []

    @own
    def test_a_kind_that_the_cluster_does_not_have_is_said_to_be_missing(
        self, kubernetes: Plugin
    ) -> None:
        token = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
        inputs = {"metadata": {"name": "x"}, "spec": {}}
        with pytest.raises(Failed, match=r"does not know serving\.kserve\.io/v1beta1"):
            kubernetes.deploy(token, "x", inputs, preview=True)
