"""Pods on the node of the session's cluster."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local.api import ApiError
from tests.local.cluster import eventually
from tests.local.node.kubectl import Kubectl, find_kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster

_NAMES = itertools.count(1)


@dataclass(frozen=True)
class Pods:
    """A namespace of the session's cluster."""

    cluster: Cluster
    namespace: str = "pods"

    def make(self, kind: str, body: dict[str, Any], group: str = "/api/v1") -> dict[str, Any]:
        path = f"{group}/namespaces/{self.namespace}/{kind}"
        return self.cluster.api.request("POST", path, body)

    def run(
        self, *containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any
    ) -> str:
        """Create a pod. Its name."""
        name = f"pod-{next(_NAMES)}"
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2, **spec}
        named = [{"name": f"c{n}", **each} for n, each in enumerate(containers)]
        meta = {"name": name, "labels": labels or {}}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
        self.make("pods", body | {"spec": {**spec, "containers": named}})
        return name

    def get(self, name: str) -> dict[str, Any]:
        return self.cluster.api.get(f"/api/v1/namespaces/{self.namespace}/pods/{name}")

    def status(self, name: str, container: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.get(name)["status"]["containerStatuses"][container]
        return found

    def phase(self, name: str, *wanted: str, patience: float = 20.0) -> dict[str, Any]:
        """Wait until the pod is in one of these phases. The pod."""
        eventually(lambda: self.get(name)["status"]["phase"] in wanted, patience)
        return self.get(name)

    def is_ready(self, name: str) -> bool:
        conditions = self.get(name)["status"].get("conditions", [])
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def log(self, name: str, container: str = "c0", options: str = "") -> str:
        """A container's log, from the API server."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/log?container={container}{options}"
        return self.cluster.api.text(path)

    def output(self, name: str) -> Any:
        """Wait until the pod succeeds. The JSON in its log."""
        pod = self.phase(name, "Succeeded", "Failed")
        log = self.log(name)
        assert pod["status"]["phase"] == "Succeeded", log
        return json.loads(log)

    def delete(self, name: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}"
        self.cluster.api.request("DELETE", path)

    def is_gone(self, name: str) -> bool:
        return self.cluster.api.find(f"/api/v1/namespaces/{self.namespace}/pods/{name}") is None


def python(code: str, **more: Any) -> dict[str, Any]:
    """A container that runs Python code."""
    return {"image": "test/python:1", "args": ["-uc", code], **more}


@pytest.fixture(scope="session")
def pods(cluster: Cluster) -> Iterator[Pods]:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "pods"}}
    cluster.api.request("POST", "/api/v1/namespaces", space)

    def has_account() -> bool:
        try:
            cluster.api.get("/api/v1/namespaces/pods/serviceaccounts/default")
        except ApiError:
            return False
        return True

    eventually(has_account)
    yield Pods(cluster)


@pytest.fixture(scope="module", params=[True, False], ids=["websockets", "spdy"])
def kubectl(pods: Pods, request: pytest.FixtureRequest) -> Kubectl:
    return Kubectl(find_kubectl(), pods, request.param)
