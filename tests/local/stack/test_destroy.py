"""What `pulumi destroy` leaves, and what it refuses; what a reviewer reads before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import urllib3

from tests.local.stack.comments import comment
from tests.local.stack.conftest import knative_config

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_STORAGE = {
    "bucket": "kserve-triton-test",
    "project": "kserve-triton-test",
    "forceDestroy": True,
    "retainReleases": False,
}


def _ours(config_map: dict[str, Any]) -> bool:
    return bool(config_map["metadata"]["name"] != "kube-root-ca.crt")


def _buckets(stack: Stack) -> list[str]:
    url = f"{stack.cluster.layout.storage()}/storage/v1/b?project=kserve-triton-test"
    answer = urllib3.request("GET", url, headers=stack.cluster.layout.owner(), timeout=10)
    return [each["name"] for each in answer.json().get("items", [])]


def test_a_protected_bucket_stops_it_before_anything_is_touched(stack: Stack) -> None:
    stack.deploy(storage=_STORAGE | {"protect": True})
    done = stack.run("destroy", "--yes", "--suppress-progress")
    assert done.returncode != 0
    assert "protect" in done.stdout + done.stderr
    assert "kserve-triton-test" in _buckets(stack)
    assert stack.predict()["label"]


def test_without_protection_it_leaves_an_empty_namespace(stack: Stack) -> None:
    stack.deploy()
    done = stack.run("destroy", "--yes", "--suppress-progress")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kserve-triton-test" not in _buckets(stack)
    kserve = "/apis/serving.kserve.io/v1beta1"
    assert not stack.list("inferenceservices", kserve)
    assert not stack.list("jobs", "/apis/batch/v1")
    assert not [each for each in stack.list("configmaps") if each.get("data") and _ours(each)]
    assert knative_config(stack.cluster) == stack.knative_before
    exported = json.loads(stack.run("stack", "export").stdout)
    assert not exported["deployment"].get("resources")


def test_a_reviewer_reads_what_a_real_preview_would_change(stack: Stack) -> None:
    stack.deploy()
    stack.configure(device="gpu", models={"digits": {"predictor": {"accelerator": "nvidia-l4"}}})
    text = comment(stack)
    assert text.startswith("<!-- kserve-triton:review:test -->")
    assert "moves from CPU to GPU" in text
    assert "+  kind: KIND_GPU" in text
    assert '+ spec.predictor.model.resources.limits["nvidia.com/gpu"]: "1"' in text
