"""A stack in mode Knative, whose requests go through the gateway."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.endpoints import gateway
from tests.local.stack.conftest import SETTINGS, Stack, knative_config, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster

DOMAIN = "localhost"
SERVING = "/apis/serving.knative.dev/v1"
_NAMESPACE = "knative"
_SETTINGS: dict[str, Any] = SETTINGS | {
    "namespace": _NAMESPACE,
    "mode": "Knative",
    "domain": DOMAIN,
    "storage": SETTINGS["storage"] | {"bucket": "kserve-triton-knative"},
    # Knative asks no registry for the digests of dev.local.
    "transformer": {"image": "dev.local/kserve-triton/transformer:test", "cpu": "100m"},
    "jobs": {"image": "dev.local/kserve-triton/jobs:test", "cpu": "50m"},
    # The pods of the revision before serve half a minute longer.
    "predictor": {"cpu": "100m", "memory": "1Gi"},
    # The names below localhost mean this machine, and in a pod the pod.
    "verification": {"deadlineSeconds": 120, "outside": False},
}


@dataclass
class KnativeStack(Stack):
    """Its models' hosts are NAME-transformer.NAMESPACE.DOMAIN and NAME-predictor.…"""

    @property
    def gateway(self) -> str:
        """The gateway's address on the host: 127.0.0.1:PORT."""
        found = gateway(self.cluster.layout.services())
        assert found
        return found

    def host(self, service: str = "digits-transformer") -> str:
        """What the header Host must say."""
        return f"{service}.{self.namespace}.{DOMAIN}"

    def target(self, service: str, model: str) -> tuple[str, str]:
        return f"http://{self.gateway}/v1/models/{model}:predict", self.host(service)

    def address(self, service: str) -> str:
        """A model's URL, which browsers and curl resolve to this machine, and `ask` by itself."""
        return f"http://{self.host(service)}:{self.gateway.rpartition(':')[2]}"

    def ask(self, url: str, body: Any) -> Any:
        """The answer to a POST of JSON, by the header Host: nothing here resolves the name."""
        asked = urllib3.util.parse_url(url)
        answer = urllib3.request(
            "POST",
            f"http://{self.gateway}{asked.request_uri}",
            body=json.dumps(body).encode(),
            headers={"Host": str(asked.host)},
            timeout=60.0,
            retries=False,
        )
        assert answer.status == 200, answer.data
        return answer.json()

    def revisions(self, service: str = "digits-predictor") -> list[dict[str, Any]]:
        """The revisions of a Knative Service, the newest last."""
        selector = f"labelSelector=serving.knative.dev%2Fservice%3D{service}"
        path = f"{SERVING}/namespaces/{self.namespace}/revisions?{selector}"
        found: list[dict[str, Any]] = self.cluster.api.get(path)["items"]
        return sorted(found, key=lambda each: str(each["metadata"]["name"]))

    def pods(self, service: str = "digits-predictor") -> list[dict[str, Any]]:
        """The pods of a Knative Service that are not ending."""
        return [
            pod
            for pod in self.list("pods")
            if pod["metadata"].get("labels", {}).get("serving.knative.dev/service") == service
            and "deletionTimestamp" not in pod["metadata"]
        ]


@pytest.fixture(scope="package")
def knative(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KnativeStack]:
    folder = program(tmp_path_factory.mktemp("knative"))
    made = KnativeStack(cluster, folder, "knative", _SETTINGS, knative_config(cluster))
    made.init()
    yield made
    made.destroy()
