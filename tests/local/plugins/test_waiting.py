"""Waiting: for conditions, and until something is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.meanwhile import meanwhile
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, own
from tests.local.plugins.protocol import OFFICIAL, Failed, Plugin, Rejected, State

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

SERVICE = "kubernetes:serving.kserve.io/v1beta1:InferenceService"
BACKGROUND = {"pulumi.com/deletionPropagationPolicy": "background"}


@pytest.fixture(scope="module", autouse=True)
def inference_services(server: ApiServer) -> None:
    """KServe's kind, without KServe."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "inferenceservices", "singular": "inferenceservice"}
    names |= {"kind": "InferenceService", "listKind": "InferenceServiceList"}
    group = "serving.kserve.io"
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"inferenceservices.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    place = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.{group}"
    server.apply(place, body, "test")
    while not server.has(f"/apis/{group}/v1beta1/namespaces/default/inferenceservices"):
        time.sleep(0.1)
    while not server.has(service_path("") + "/"):
        time.sleep(0.1)


def service_path(name: str, rest: str = "") -> str:
    return f"/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/{name}{rest}"


def service(name: str, wait_for: str, **spec: Any) -> dict[str, Any]:
    annotations = {"pulumi.com/waitFor": wait_for, **BACKGROUND}
    return {"metadata": {"name": name, "annotations": annotations}, "spec": {"a": "b", **spec}}


def say(server: ApiServer, name: str, ready: str = "True", **status: Any) -> None:
    condition = {"type": "Ready", "status": ready, "reason": "R", "message": "because"}
    body = {"status": {"conditions": [condition], **status}}
    server.merge(service_path(name, "/status"), body)


class TestWaitFor:
    @pytest.mark.parametrize(
        "expression",
        [
            "condition=Ready",
            "condition=ready=true",
            'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
            '["condition=Ready", "jsonpath={.status.url}=http://x"]',
        ],
    )
    def test_comes_back_once_it_holds(
        self, kubernetes: Plugin, server: ApiServer, expression: str
    ) -> None:
        name = fresh("awaited")
        with meanwhile(lambda: say(server, name, url="http://x")):
            made = kubernetes.deploy(SERVICE, "s", service(name, expression)).state
        assert made["status"]["url"] == "http://x"

    def test_times_out_with_the_condition(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("awaited")
        with (
            meanwhile(lambda: say(server, name, "False")),
            pytest.raises(Failed) as caught,
        ):
            kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready"), timeout=2)
        assert caught.value.state is not None
        assert caught.value.state.id == f"default/{name}"
        if not OFFICIAL:
            assert "not ready within 2 seconds: condition Ready is False: because" in str(
                caught.value
            )

    def test_a_status_of_an_older_generation_does_not_count(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("awaited")
        with meanwhile(lambda: say(server, name, observedGeneration=1)):
            made = kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready")).state
        changed = service(name, "condition=Ready", c="d")
        with pytest.raises(Failed) as caught:
            kubernetes.deploy(SERVICE, "s", changed, made, timeout=1)
        if not OFFICIAL:
            assert "status is of generation 1, the object is at 2" in str(caught.value)
        with meanwhile(lambda: say(server, name, observedGeneration=2)):
            kubernetes.deploy(SERVICE, "s", changed, made)

    @own
    def test_shows_what_it_waits_for(self, kubernetes: Plugin, server: ApiServer) -> None:
        name = fresh("awaited")
        with meanwhile(lambda: say(server, name)):
            kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready"))
        assert "no condition Ready yet" in kubernetes.engine.statuses

    def test_skip_await_waits_for_nothing(self, kubernetes: Plugin) -> None:
        inputs = service(fresh("awaited"), "condition=Ready")
        inputs["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
        kubernetes.deploy(SERVICE, "s", inputs)

    @own
    @pytest.mark.parametrize("text", ["Ready", "jsonpath={.a", "jsonpath={.a[?(x)]}", "[1"])
    def test_an_expression_that_is_none_is_refused(self, kubernetes: Plugin, text: str) -> None:
        with pytest.raises(Rejected, match="waitFor"):
            kubernetes.check(SERVICE, "s", service("x", text))

    @own
    def test_a_refresh_keeps_in_mind_that_it_is_not_ready(
        self, kubernetes: Plugin, server: ApiServer
    ) -> None:
        name = fresh("awaited")
        with meanwhile(lambda: say(server, name)):
            made = kubernetes.deploy(SERVICE, "s", service(name, "condition=Ready")).state
        say(server, name, "False")
        with pytest.raises(Failed, match="condition Ready is False"):
            kubernetes.refresh(made)


class TestDeletion:
    def test_comes_back_once_it_is_gone(self, kubernetes: Plugin, server: ApiServer) -> None:
        made, path = held(kubernetes, server)
        with meanwhile(lambda: server.merge(path, {"metadata": {"finalizers": None}})):
            kubernetes.delete(made)
        assert not server.has(path)

    def test_times_out_with_what_holds_it(self, kubernetes: Plugin, server: ApiServer) -> None:
        made, path = held(kubernetes, server)
        with pytest.raises(Failed) as caught:
            kubernetes.delete(made, timeout=1)
        if not OFFICIAL:
            assert "held by example.com/hold" in str(caught.value)
        server.merge(path, {"metadata": {"finalizers": None}})


def held(kubernetes: Plugin, server: ApiServer) -> tuple[State, str]:
    """A ConfigMap that doesn't go by itself."""
    name = fresh("awaited")
    made = kubernetes.deploy(CONFIG_MAP, "map", {"metadata": {"name": name}, "data": {}}).state
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    server.merge(path, {"metadata": {"finalizers": ["example.com/hold"]}})
    return made, path
