"""Kubernetes objects: made, changed, replaced, refreshed, imported, removed."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.plugins.wire import UNKNOWN
from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin, Rejected

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.plugins.api_server import ApiServer

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
ROLE_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
SERVICE_ACCOUNT = "kubernetes:core/v1:ServiceAccount"
NAMESPACE = "kubernetes:core/v1:Namespace"
own = pytest.mark.skipif(OFFICIAL, reason="this project's own plugin only")
_names = (f"object-{number}" for number in itertools.count())
Values = dict[str, Any]


def config_map(name: str | None = None, data: Any = None, **metadata: Any) -> Values:
    named = {"name": name} if name else {}
    return {"metadata": {**named, **metadata}, "data": data or {"key": "value"}}


def path(name: str, plural: str = "configmaps") -> str:
    return f"/api/v1/namespaces/default/{plural}/{name}"


def data(server: ApiServer, name: str) -> Any:
    return server.call("GET", path(name)).get("data")


@own
def test_says_that_it_is_in_use(kubernetes: Plugin) -> None:
    assert any("stands in for the official one" in text for text in kubernetes.engine.messages)


@own
def test_refuses_other_types_by_name(kubernetes: Plugin) -> None:
    with pytest.raises(Failed, match="kubernetes:apps/v1:Deployment is not known"):
        kubernetes.check("kubernetes:apps/v1:Deployment", "x", {})


class TestConfigMap:
    def test_is_made_updated_and_removed(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
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
        inputs = config_map(next(_names), labels={"a": "b"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs).state
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, made).operations == []
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        assert refreshed.inputs == made.inputs
        assert kubernetes.deploy(CONFIG_MAP, "map", inputs, refreshed).operations == []

    @own
    def test_refresh_without_a_change_shows_none(self, kubernetes: Plugin) -> None:
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(next(_names))).state
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        assert refreshed.outputs == made.outputs

    def test_what_leaves_the_program_leaves_the_object(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = next(_names)
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
        name = next(_names)
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
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(next(_names))).state
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(next(_names)), made)
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
        name = next(_names)
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name))
        with pytest.raises(Failed, match="exists"):
            kubernetes.deploy(CONFIG_MAP, "other", config_map(name, {"key": "mine"}))
        assert data(server, name) == {"key": "value"}

    @own
    def test_a_preview_says_so_too(self, kubernetes: Plugin) -> None:
        name = next(_names)
        kubernetes.deploy(CONFIG_MAP, "map", config_map(name))
        with pytest.raises(Failed, match="exists already"):
            kubernetes.deploy(CONFIG_MAP, "other", config_map(name), preview=True)


class TestPreview:
    def test_of_a_new_object_makes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(name), preview=True)
        assert step.state["data"] == {"key": "value"}
        assert not server.has(path(name))

    @own
    def test_leaves_open_what_only_the_object_will_have(self, kubernetes: Plugin) -> None:
        step = kubernetes.deploy(CONFIG_MAP, "map", config_map(next(_names)), preview=True)
        assert step.state["metadata"]["uid"] is UNKNOWN

    def test_with_unknown_values_keeps_them_unknown(self, kubernetes: Plugin) -> None:
        inputs = config_map(next(_names), {"key": UNKNOWN})
        step = kubernetes.deploy(CONFIG_MAP, "map", inputs, preview=True)
        assert step.state["data"]["key"] is UNKNOWN

    def test_of_a_change_changes_nothing(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        labelled = config_map(name, labels={"a": "b"})
        step = kubernetes.deploy(CONFIG_MAP, "map", labelled, made, preview=True)
        assert step.operations == ["update"]
        assert step.state["metadata"]["labels"] == {"a": "b"}
        assert "labels" not in server.call("GET", path(name))["metadata"]

    def test_of_a_change_to_something_unknown(self, kubernetes: Plugin) -> None:
        name = next(_names)
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


class TestDrift:
    def test_is_seen_by_a_refresh_and_mended(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
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
        name = next(_names)
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
        name = next(_names)
        made = kubernetes.deploy(CONFIG_MAP, "map", config_map(name)).state
        server.call("DELETE", path(name))
        assert kubernetes.refresh(made) is None


class TestReading:
    def test_get_finds_what_somebody_else_made(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
        server.apply(path(name), {**body, "metadata": {"name": name}}, "their-tool")
        found = kubernetes.get(CONFIG_MAP, "map", f"default/{name}")
        assert found is not None
        assert found["data"] == {"a": "b"}

    def test_get_of_nothing_is_nothing(self, kubernetes: Plugin) -> None:
        assert kubernetes.get(CONFIG_MAP, "map", "default/nothing") is None

    @own
    def test_an_import_matches_the_program(self, kubernetes: Plugin) -> None:
        name = next(_names)
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


class TestSecret:
    def test_is_secret_in_the_state(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = next(_names)
        inputs = {"metadata": {"name": name}, "stringData": {"key.json": "{}"}, "type": "Opaque"}
        secrets = frozenset({("stringData",)})
        made = kubernetes.deploy(SECRET, "key", inputs, secrets=secrets).state
        encoded = base64.b64encode(b"{}").decode()
        assert server.call("GET", path(name, "secrets"))["data"] == {"key.json": encoded}
        assert {("data",), ("stringData",)} <= made.outputs.secrets
        assert ("stringData",) in made.inputs.secrets
        refreshed = kubernetes.refresh(made)
        assert refreshed is not None
        assert ("data",) in refreshed.outputs.secrets
        assert kubernetes.deploy(SECRET, "key", inputs, refreshed).operations == []

    def test_new_data_replaces(self, kubernetes: Plugin) -> None:
        name = next(_names)
        inputs = {"metadata": {"name": name}, "stringData": {"key": "one"}}
        made = kubernetes.deploy(SECRET, "key", inputs).state
        changed = {**inputs, "stringData": {"key": "two"}}
        step = kubernetes.deploy(SECRET, "key", changed, made)
        assert step.operations == ["delete", "create"]

    def test_a_secret_label_stays_secret(self, kubernetes: Plugin) -> None:
        secrets = frozenset({("metadata", "labels", "a")})
        inputs = config_map(next(_names), labels={"a": "hidden"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs, secrets=secrets).state
        assert ("metadata", "labels", "a") in made.inputs.secrets
        assert any(path[0] == "metadata" for path in made.outputs.secrets)


class TestOtherKinds:
    def test_a_service_account(self, kubernetes: Plugin) -> None:
        inputs = {
            "metadata": {
                "name": next(_names),
                "annotations": {"iam.gke.io/gcp-service-account": "a"},
            }
        }
        made = kubernetes.deploy(SERVICE_ACCOUNT, "account", inputs).state
        assert kubernetes.deploy(SERVICE_ACCOUNT, "account", inputs, made).operations == []

    def test_a_role_binding_is_replaced_for_another_role(self, kubernetes: Plugin) -> None:
        group = "rbac.authorization.k8s.io"
        inputs: Values = {
            "metadata": {"name": next(_names)},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        }
        made = kubernetes.deploy(ROLE_BINDING, "binding", inputs).state
        changed = {**inputs, "roleRef": {**inputs["roleRef"], "name": "edit"}}
        step = kubernetes.deploy(ROLE_BINDING, "binding", changed, made)
        assert step.operations == ["delete", "create"]

    def test_a_namespace_has_none(self, kubernetes: Plugin) -> None:
        name = next(_names)
        made = kubernetes.deploy(NAMESPACE, "space", {"metadata": {"name": name}}).state
        assert made.id == name
        found = kubernetes.get(NAMESPACE, "space", name)
        assert found is not None

    @own
    def test_unknown_properties_are_refused(self, kubernetes: Plugin) -> None:
        inputs = {"metadata": {"name": "x", "label": {}}, "dta": {}}
        with pytest.raises(Rejected) as caught:
            kubernetes.check(CONFIG_MAP, "map", inputs)
        assert set(caught.value.failures) == {"metadata.label", "dta"}

    @own
    def test_the_server_refuses_those_that_lie_deeper(self, kubernetes: Plugin) -> None:
        container = {"name": "c", "image": "i", "imagePullPolice": "Never"}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        inputs = {"metadata": {"name": next(_names)}, "spec": {"template": template}}
        with pytest.raises(Failed, match="imagePullPolice"):
            kubernetes.deploy("kubernetes:batch/v1:Job", "job", inputs, preview=True)


@own
def test_a_cluster_that_is_not_there_is_named() -> None:
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig="/no/such/kubeconfig")
    with pytest.raises(Failed, match=r"/no/such/kubeconfig.*make up"):
        plugin.check(CONFIG_MAP, "map", config_map("x"))
    plugin.close()


@own
@pytest.mark.parametrize("inline", [True, False])
def test_credential_programs_are_asked(server: ApiServer, tmp_path: Path, inline: bool) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig("kube-system"))
    api = "client.authentication.k8s.io/v1"
    said = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": server.token}}
    program = {"apiVersion": api, "command": "echo", "args": [json.dumps(said)]}
    kubeconfig["users"][0]["user"] = {"exec": {**program, "interactiveMode": "Never"}}
    text, file = yaml.safe_dump(kubeconfig), tmp_path / "kubeconfig"
    file.write_text(text)
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=text if inline else str(file))
    made = plugin.deploy(CONFIG_MAP, "map", config_map(next(_names))).state
    assert made["metadata"]["namespace"] == "kube-system"
    plugin.close()


@own
def test_the_context_chooses_user_and_namespace(server: ApiServer) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig())
    other = {"cluster": "test", "user": "admin", "namespace": "kube-public"}
    kubeconfig["contexts"].append({"name": "other", "context": other})
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=yaml.safe_dump(kubeconfig), context="other")
    checked = plugin.check(CONFIG_MAP, "map", config_map("x"))
    assert checked.values["metadata"]["namespace"] == "kube-public"
    plugin.close()


@own
def test_certificates_are_verified(server: ApiServer) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig())
    kubeconfig["clusters"][0]["cluster"].pop("insecure-skip-tls-verify")
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=yaml.safe_dump(kubeconfig))
    with pytest.raises(Failed, match="CERTIFICATE_VERIFY_FAILED"):
        plugin.get(CONFIG_MAP, "map", "default/x")
    authority = server.folder / "certificates" / "apiserver.crt"
    kubeconfig["clusters"][0]["cluster"]["certificate-authority"] = str(authority)
    trusting = Plugin("kubernetes")
    trusting.configure(kubeconfig=yaml.safe_dump(kubeconfig))
    assert trusting.get(CONFIG_MAP, "map", "default/x") is None
    for each in (plugin, trusting):
        each.close()
