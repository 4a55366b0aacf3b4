"""The seed's problem with nvcr.io and its cure, on the real Knative controller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.layout import ROOT
from tests.local.cluster import eventually
from tests.local.stack.conftest import knative_config

if TYPE_CHECKING:
    from tests.local.cluster import Cluster
    from tests.local.stack.conftest import Stack

_IMAGE = "nvcr.io/nvidia/tritonserver:26.05-py3"
_GKE = "cloud.google.com"
_NODES = {
    "accelerator": "nvidia-l4",
    "gpuSharing": "mps",
    "spot": True,
    "spread": ["zone", "node"],
}
_KEYS = {"registries-skipping-tag-resolving", "progress-deadline"}


def _serve(cluster: Cluster, name: str) -> None:
    container = {"image": _IMAGE, "args": ["tritonserver"]}
    body = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    path = "/apis/serving.knative.dev/v1/namespaces/default/services"
    cluster.api.request("POST", path, body)


def _configuration(cluster: Cluster, name: str) -> dict[str, Any]:
    path = f"/apis/serving.knative.dev/v1/namespaces/default/configurations/{name}"
    conditions = cluster.api.get(path).get("status", {}).get("conditions", [])
    return {each["type"]: each for each in conditions}


def test_the_seeds_problem_its_cure_and_nothing_left(stack: Stack) -> None:
    cluster = stack.cluster
    # Another test may have left the stack up.
    stack.destroy()
    assert knative_config(cluster) == stack.knative_before
    _serve(cluster, "before")
    failed = eventually(lambda: _configuration(cluster, "before").get("Ready", {}).get("message"))
    assert "Unable to fetch image" in failed

    stack.deploy(knative={"progressDeadline": "700s"})
    _serve(cluster, "after")
    path = "/apis/apps/v1/namespaces/default/deployments/after-00001-deployment"
    deployment = eventually(lambda: cluster.api.find(path))
    assert deployment["spec"]["progressDeadlineSeconds"] == 700

    stack.destroy()
    now = knative_config(cluster)
    assert not _KEYS & now.keys()
    assert now == stack.knative_before
    for name in ("before", "after"):
        cluster.api.delete(f"/apis/serving.knative.dev/v1/namespaces/default/services/{name}")


def test_a_gpu_stack_with_every_option_gets_its_revisions(stack: Stack) -> None:
    cluster = stack.cluster
    before = knative_config(cluster, "config-features")
    # Nothing gets ready here in Knative mode, so the proof fails; what matters is how far it came.
    done = stack.up(
        device="gpu",
        mode="Knative",
        pullSecrets=["ngc"],
        predictor=_NODES,
        transformer={"minReplicas": 0, "idleSeconds": 300, "spread": ["zone"]},
        verification={"deadlineSeconds": 10},
        perf={"enabled": False},
    )
    assert done.returncode != 0
    path = "/apis/apps/v1/namespaces/models/deployments/digits-predictor-00001-deployment"
    deployment = eventually(lambda: cluster.api.find(path))
    pod = deployment["spec"]["template"]["spec"]
    assert {each["key"] for each in pod["tolerations"]} == {"nvidia.com/gpu", f"{_GKE}/gke-spot"}
    assert pod["nodeSelector"] == {
        f"{_GKE}/gke-accelerator": "nvidia-l4",
        f"{_GKE}/gke-gpu-sharing-strategy": "mps",
        f"{_GKE}/gke-max-shared-clients-per-gpu": "2",
        f"{_GKE}/gke-spot": "true",
    }
    assert pod["imagePullSecrets"] == [{"name": "ngc"}]
    assert len(pod["topologySpreadConstraints"]) == 2
    path = "/apis/serving.knative.dev/v1/namespaces/models/revisions/digits-transformer-00001"
    revision = eventually(lambda: cluster.api.find(path))
    annotations = revision["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "0"
    retention = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
    assert annotations[retention] == "300s"
    stack.destroy()
    assert knative_config(cluster, "config-features") == before


def test_a_canary_becomes_a_second_revision_of_its_own_release(stack: Stack) -> None:
    stack.destroy()
    lock = json.loads((ROOT / "build" / "test" / "models.lock.json").read_text())
    current, before = (entry["digest"][:12] for entry in lock["models"]["digits"])
    earlier = {"release": before}
    canary = {"release": current, "trafficPercent": 10}
    deadline, perf = {"deadlineSeconds": 10}, {"enabled": False}
    for models in ({"digits": earlier}, {"digits": earlier | {"canary": canary}}):
        # Nothing gets ready here in Knative mode, so the proof fails.
        assert stack.up(mode="Knative", models=models, verification=deadline, perf=perf).returncode
    assert stack.service()["spec"]["predictor"]["canaryTrafficPercent"] == 10
    group = "/apis/serving.knative.dev/v1/namespaces/models/revisions"
    key = "internal.serving.kserve.io/storage-initializer-sourceuri"
    served = [
        eventually(lambda name=name: stack.cluster.api.get(f"{group}/digits-predictor-{name}"))[
            "metadata"
        ]["annotations"][key]
        for name in ("00001", "00002")
    ]
    assert served[0] != served[1]
    assert served[1] == stack.service()["spec"]["predictor"]["model"]["storageUri"]
    stack.destroy()
