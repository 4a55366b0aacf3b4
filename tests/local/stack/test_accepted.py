"""What can't run here is still accepted by the real KServe: GPU stacks, Knative mode, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from local.api import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster

_GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    """Not the golden files' own, which other tests' stack makes and deletes."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "golden"}}
    cluster.api.request("POST", "/api/v1/namespaces", space)
    yield "golden"
    cluster.api.delete("/api/v1/namespaces/golden")


def _try(cluster: Cluster, namespace: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Ask the server, with its webhooks, to make it for show."""
    moved = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
    place = cluster.api.path(moved).rpartition("/")[0]
    return cluster.api.request("POST", f"{place}?dryRun=All&fieldValidation=Strict", moved)


@pytest.mark.parametrize("name", sorted(each.name for each in _GOLDEN.iterdir()))
def test_the_api_accepts(cluster: Cluster, namespace: str, name: str) -> None:
    for each in yaml.safe_load_all((_GOLDEN / name).read_text()):
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
