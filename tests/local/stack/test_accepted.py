"""What can't run here is still accepted by the real KServe: GPU stacks, Knative mode, all of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from local.api import ApiError

if TYPE_CHECKING:
    from tests.local.cluster import Cluster

_GOLDEN = Path(__file__).resolve().parents[2] / "golden"


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> None:
    """Of the golden files' objects."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "models"}}
    try:
        cluster.api.request("POST", "/api/v1/namespaces", space)
    except ApiError as error:
        if error.status != 409:  # Another test's stack made it.
            raise


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize("name", sorted(each.name for each in _GOLDEN.iterdir()))
def test_the_api_accepts(cluster: Cluster, name: str) -> None:
    for each in yaml.safe_load_all((_GOLDEN / name).read_text()):
        place = cluster.api.path(each).rpartition("/")[0]
        # Another name: a dry run must not meet what another test's stack has made.
        named = {**each, "metadata": {**each["metadata"], "name": f"dry-{each['kind'].lower()}"}}
        made = cluster.api.request("POST", f"{place}?dryRun=All&fieldValidation=Strict", named)
        assert made["spec"], each["kind"]


@pytest.mark.usefixtures("namespace")
def test_and_refuses_a_field_that_it_does_not_know(cluster: Cluster) -> None:
    service = next(
        each
        for each in yaml.safe_load_all((_GOLDEN / "cpu-http-separate-standard.yaml").read_text())
        if each["kind"] == "InferenceService"
    )
    service["spec"]["predictor"]["model"]["storageURI"] = "gs://x"
    service["metadata"]["name"] = "dry-unknown"
    place = cluster.api.path(service).rpartition("/")[0]
    with pytest.raises(ApiError, match="storageURI"):
        cluster.api.request("POST", f"{place}?dryRun=All&fieldValidation=Strict", service)
