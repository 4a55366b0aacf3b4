"""A Service whose pods are not ready, with `pulumi.com/skipAwait` as the program sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.local.plugins.names import fresh
from tests.local.plugins.objects import OWNED
from tests.local.plugins.protocol import Failed, Plugin

if TYPE_CHECKING:
    from tests.local.plugins.api_server import ApiServer

SERVICE = "kubernetes:core/v1:Service"
SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}


@pytest.fixture
def name(server: ApiServer) -> str:
    """A Service's name, under which there is an endpoint that is not ready."""
    name = fresh("service")
    subset = {"notReadyAddresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}
    body = {"metadata": {"name": name}, "subsets": [subset]}
    server.request("POST", "/api/v1/namespaces/default/endpoints", body)
    return name


def service(name: str, annotations: dict[str, str]) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    metadata = {"name": name, "namespace": "default", "annotations": OWNED | annotations}
    spec = {"selector": {"app": "digits"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def test_is_waited_for_without_skip_await(kubernetes: Plugin, name: str) -> None:
    with pytest.raises(Failed, match="timed out"):
        kubernetes.deploy(SERVICE, "split", service(name, {}), timeout=1)


def test_is_not_waited_for(kubernetes: Plugin, server: ApiServer, name: str) -> None:
    kubernetes.deploy(SERVICE, "split", service(name, SKIP_AWAIT))
    assert server.has(f"/api/v1/namespaces/default/services/{name}")


def test_after_a_refresh_nothing_changes(kubernetes: Plugin, name: str) -> None:
    made = kubernetes.deploy(SERVICE, "split", service(name, SKIP_AWAIT)).state
    step = kubernetes.deploy(
        SERVICE, "split", service(name, SKIP_AWAIT), kubernetes.refreshed(made)
    )
    assert step.operations == []
