"""What is particular to Secrets and to other kinds; properties that there are not."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, config_map, own, path
from tests.local.plugins.protocol import Failed, Plugin, Rejected

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

SECRET = "kubernetes:core/v1:Secret"
ROLE_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
SERVICE_ACCOUNT = "kubernetes:core/v1:ServiceAccount"
NAMESPACE = "kubernetes:core/v1:Namespace"


class TestSecret:
    def test_is_secret_in_the_state(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("object")
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
        name = fresh("object")
        inputs = {"metadata": {"name": name}, "stringData": {"key": "one"}}
        made = kubernetes.deploy(SECRET, "key", inputs).state
        changed = {**inputs, "stringData": {"key": "two"}}
        step = kubernetes.deploy(SECRET, "key", changed, made)
        assert step.operations == ["delete", "create"]

    def test_a_secret_label_stays_secret(self, kubernetes: Plugin) -> None:
        secrets = frozenset({("metadata", "labels", "a")})
        inputs = config_map(fresh("object"), labels={"a": "hidden"})
        made = kubernetes.deploy(CONFIG_MAP, "map", inputs, secrets=secrets).state
        assert ("metadata", "labels", "a") in made.inputs.secrets
        assert any(path[0] == "metadata" for path in made.outputs.secrets)


class TestOtherKinds:
    def test_a_service_account(self, kubernetes: Plugin) -> None:
        inputs = {
            "metadata": {
                "name": fresh("object"),
                "annotations": {"iam.gke.io/gcp-service-account": "a"},
            }
        }
        made = kubernetes.deploy(SERVICE_ACCOUNT, "account", inputs).state
        assert kubernetes.deploy(SERVICE_ACCOUNT, "account", inputs, made).operations == []

    def test_a_role_binding_is_replaced_for_another_role(self, kubernetes: Plugin) -> None:
        group = "rbac.authorization.k8s.io"
        inputs: dict[str, Any] = {
            "metadata": {"name": fresh("object")},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
        }
        made = kubernetes.deploy(ROLE_BINDING, "binding", inputs).state
        changed = {**inputs, "roleRef": {**inputs["roleRef"], "name": "edit"}}
        step = kubernetes.deploy(ROLE_BINDING, "binding", changed, made)
        assert step.operations == ["delete", "create"]

    def test_a_namespace_has_none(self, kubernetes: Plugin) -> None:
        name = fresh("object")
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
        inputs = {"metadata": {"name": fresh("object")}, "spec": {"template": template}}
        with pytest.raises(Failed, match="imagePullPolice"):
            kubernetes.deploy("kubernetes:batch/v1:Job", "job", inputs, preview=True)
