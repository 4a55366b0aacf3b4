"""What `pulumi up` says of the walk-through's problems with Knative, and their cure by it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import eventually
from tests.local.stack.conftest import floats, knative_config, release
from tests.local.stack.knative.conftest import SERVING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.cluster import Cluster
    from tests.local.stack.knative.conftest import KnativeStack

_GKE = "cloud.google.com"
_NODES = {
    "accelerator": "nvidia-l4",
    "gpuSharing": "mps",
    "spot": True,
    "spread": ["zone", "node"],
}
_KEYS = {"registries-skipping-tag-resolving", "progress-deadline"}
_FEATURES = {"kubernetes.podspec-nodeselector", "kubernetes.podspec-tolerations"}
_NO_LOAD = {"enabled": False}


def test_a_gpu_stack_with_every_option_gets_its_revisions_and_leaves_nothing(
    knative: KnativeStack,
) -> None:
    cluster = knative.cluster
    # No node has a GPU, so the proof fails; what matters is how far it came.
    done = knative.up(
        device="gpu",
        pullSecrets=["ngc"],
        predictor=_NODES,
        transformer=knative.settings["transformer"]
        | {"minReplicas": 0, "idleSeconds": 300, "spread": ["zone"]},
        verification={"deadlineSeconds": 10},
        perf=_NO_LOAD,
    )
    assert done.returncode != 0
    newest = knative.revisions()[-1]["metadata"]["name"]
    path = f"/apis/apps/v1/namespaces/knative/deployments/{newest}-deployment"
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
    annotations = knative.revisions("digits-transformer")[-1]["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "0"
    retention = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
    assert annotations[retention] == "300s"
    assert knative_config(cluster, "config-features").keys() >= _FEATURES
    knative.destroy()
    assert not knative_config(cluster, "config-features").keys() & _FEATURES
    assert knative_config(cluster) == knative.knative_before


def test_the_walk_throughs_two_problems_and_their_cures(knative: KnativeStack) -> None:
    # Another test may have left the stack up.
    knative.destroy()
    assert knative_config(knative.cluster) == knative.knative_before

    reason = _failure(knative, managedBy="none")
    assert 'Unable to fetch image "nvcr.io/nvidia/tritonserver' in reason
    assert "failed to resolve image to digest" in reason

    _patch_and_retry(knative, reason, progressDeadline="1s")
    with _silent_bucket(knative.cluster):
        reason = _failure(knative, progressDeadline="1s")
    assert "ProgressDeadlineExceeded" in reason

    _patch_and_retry(knative, reason)
    knative.deploy(perf=_NO_LOAD)
    assert knative_config(knative.cluster).keys() >= _KEYS
    found = knative.predict()["scores"]
    assert found == pytest.approx(floats(release()["samples"][0]["outputs"][0]), abs=1e-3)


@contextlib.contextmanager
def _silent_bucket(cluster: Cluster) -> Iterator[None]:
    """No model can be loaded: a pod that starts waits for its download."""
    store = cluster.now().processes["fake-gcs-server"]
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


def _failure(knative: KnativeStack, **settings: str) -> str:
    """Why an update with these settings of Knative fails, as the CLI says it."""
    done = knative.up(knative=settings, perf=_NO_LOAD)
    assert done.returncode != 0
    (line,) = [each for each in done.stdout.splitlines() if "digits can't become ready" in each]
    return line


def _patch_and_retry(knative: KnativeStack, reason: str, **settings: str) -> None:
    """Change Knative's settings alone; then do what the message says."""
    done = knative.up("--target", "**KnativeConfig**", knative=settings, perf=_NO_LOAD)
    assert done.returncode == 0, done.stdout
    command = f"kubectl delete revision -n {knative.namespace} "
    name = reason.partition(command)[2].split()[0]
    knative.cluster.api.delete(f"{SERVING}/namespaces/{knative.namespace}/revisions/{name}")
