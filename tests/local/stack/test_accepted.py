"""What can't run here is still accepted by the real KServe: GPU stacks, Knative mode, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local import toolchain
from local.api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster

# Google publishes its definition with GKE, and in no registry that tests could read.
_UNKNOWN = ("PodMonitoring",)
_GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """Not the golden files' own, which other tests' stack makes and deletes."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden"}}
    cluster.api.request("POST", "/api/v1/namespaces", space)
    yield "golden"
    cluster.api.delete("/api/v1/namespaces/golden")


@pytest.fixture(scope="module", autouse=True)
def optional(cluster: Cluster, knative_serving: dict[str, Any]) -> None:
    """What only some clusters have: KServe's model cache, and the operator's KnativeServing."""
    cache = "config/crd/full/localmodel/serving.kserve.io_localmodelcaches.yaml"
    path = toolchain.module("github.com/kserve/kserve") / cache
    definition = yaml.safe_load(path.read_text())
    cluster.api.apply(definition)
    cluster.api.wait_for_definitions([definition])
    assert knative_serving["spec"]


def _try(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Ask the server, with its webhooks, to make it for show."""
    moved = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
    place = cluster.api.path(moved).rpartition("/")[0]
    return cluster.api.request("POST", f"{place}?dryRun=All&fieldValidation=Strict", moved)


def _patch(cluster: Cluster, manifest: dict[str, Any]) -> dict[str, Any]:
    """Ask the server to take it into an object of somebody else's, for show."""
    query = "dryRun=All&fieldManager=kserve-triton&force=true&fieldValidation=Strict"
    path, kind = f"{cluster.api.path(manifest)}?{query}", "application/apply-patch+yaml"
    return cluster.api.request("PATCH", path, manifest, kind)


@pytest.mark.parametrize(
    "name", sorted(str(each.relative_to(_GOLDEN)) for each in _GOLDEN.rglob("*.yaml"))
)
def test_the_api_accepts(cluster: Cluster, namespace: str, name: str) -> None:
    for each in yaml.safe_load_all((_GOLDEN / name).read_text()):
        if each["kind"] == "KnativeServing":
            found = _patch(cluster, each)["spec"]["config"]
            assert found["deployment"]["progress-deadline"] == "600s"
        elif each["kind"] not in _UNKNOWN:
            assert _try(cluster, namespace, each)["spec"], each["kind"]


def test_and_refuses_a_field_that_it_does_not_know(cluster: Cluster, namespace: str) -> None:
    service = next(
        each
        for each in yaml.safe_load_all((_GOLDEN / "cpu-http-separate-standard.yaml").read_text())
        if each["kind"] == "InferenceService"
    )
    service["spec"]["predictor"]["model"]["storageURI"] = "gs://x"
    with pytest.raises(ApiError, match="storageURI"):
        _try(cluster, namespace, service)
