"""What stands in the way of a stack's pods: no room, a silent bucket, refusals, a drained node."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

from local.node.quantity import quantity
from tests.local.cluster import eventually
from tests.local.stack.conftest import kubectl_patch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.api import Object
    from tests.local.stack.conftest import Stack

__all__ = [
    "CORE",
    "JOB",
    "NAMESPACE",
    "PREDICTOR",
    "PREDICTORS",
    "TRANSFORMER",
    "drain",
    "full_node",
    "policy",
    "quota",
    "restricted",
    "silent_bucket",
]

CORE = "/api/v1"
NAMESPACE = f"{CORE}/namespaces/models"
PREDICTORS = {"app": "isvc.digits-predictor"}
"""The label of the predictor's pods."""
PREDICTOR, TRANSFORMER, JOB = 0.2, 0.1, 0.01
"""Cores that each pod asks for."""
_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


@contextlib.contextmanager
def full_node(stack: Stack) -> Iterator[str]:
    """A pod that leaves room for one more predictor and a Job. Its path, to delete it."""
    (node,) = stack.cluster.api.get(f"{CORE}/nodes")["items"]
    pods = eventually(lambda: _staying(stack), 90)
    free = float(quantity(node["status"]["allocatable"]["cpu"])) - sum(map(_cpu, pods))
    cpu = f"{int((free - PREDICTOR - 5 * JOB) * 1000)}m"
    # Only its request matters.
    container = {"name": "hog", "image": "test/run:1", "command": ["sleep", "600"]}
    hog = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hog", "namespace": "default"},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [container | {"resources": {"requests": {"cpu": cpu}}}],
        },
    }
    path = stack.cluster.api.path(hog)
    stack.cluster.api.apply(hog)
    try:
        eventually(lambda: stack.cluster.api.get(path)["status"]["phase"] == "Running")
        yield path
    finally:
        stack.cluster.api.delete(path)
        eventually(lambda: stack.cluster.api.find(path) is None)


def _staying(stack: Stack) -> list[Object]:
    """All pods; none while some are ending, since these still have their place on the node."""
    pods: list[Object] = stack.cluster.api.get(f"{CORE}/pods")["items"]
    return [] if any("deletionTimestamp" in pod["metadata"] for pod in pods) else pods


def _cpu(pod: Object) -> float:
    """What the scheduler counts for a pod."""
    if pod["status"]["phase"] in ("Succeeded", "Failed"):
        return 0.0
    spec = pod["spec"]
    groups = [spec["containers"], *([each] for each in spec.get("initContainers", ()))]
    return max(sum(map(_request, group)) for group in groups)


def _request(container: Object) -> float:
    return float(quantity(container.get("resources", {}).get("requests", {}).get("cpu", "0")))


@contextlib.contextmanager
def silent_bucket(stack: Stack) -> Iterator[None]:
    """No model can be loaded: a pod that starts waits for its download."""
    store = stack.cluster.now().processes["fake-gcs-server"]
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


def quota(stack: Stack) -> contextlib.AbstractContextManager[None]:
    """Of CPU, for what is there, a Job, and half of another predictor."""
    cpu = f"{1.5 * PREDICTOR + TRANSFORMER + JOB:.2f}"
    about = {"name": "cpu", "namespace": "models"}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": about}
    return _applied(stack, [made | {"spec": {"hard": {"requests.cpu": cpu}}}])


def policy(stack: Stack) -> contextlib.AbstractContextManager[None]:
    """Of admission, against the predictor's pods."""
    about = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "owners"}}
    rule = {
        "matchConstraints": {
            "resourceRules": [_RULE],
            "objectSelector": {"matchLabels": PREDICTORS},
        },
        "validations": [{"expression": "false", "message": "pods need an owner"}],
    }
    binding = {"policyName": "owners", "validationActions": ["Deny"]}
    kind = "ValidatingAdmissionPolicy"
    made = [{"kind": kind, "spec": rule}, {"kind": f"{kind}Binding", "spec": binding}]
    return _applied(stack, [about | each for each in made])


@contextlib.contextmanager
def _applied(stack: Stack, manifests: list[Object]) -> Iterator[None]:
    api = stack.cluster.api
    try:
        for each in manifests:
            api.apply(each)
        yield
    finally:
        for each in manifests:
            api.delete(api.path(each))


@contextlib.contextmanager
def restricted(stack: Stack) -> Iterator[None]:
    key = "pod-security.kubernetes.io/enforce"
    kubectl_patch(stack.cluster, NAMESPACE, {"metadata": {"labels": {key: "restricted"}}})
    try:
        yield
    finally:
        kubectl_patch(stack.cluster, NAMESPACE, {"metadata": {"labels": {key: None}}})


def drain(stack: Stack, pod: str) -> None:
    """What `kubectl drain --grace-period=1` does to one pod; then the node takes pods again."""
    api, path = stack.cluster.api, f"{NAMESPACE}/pods/{pod}"
    (node,) = api.get(f"{CORE}/nodes")["items"]
    place = f"{CORE}/nodes/{node['metadata']['name']}"
    evicted = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod},
        "deleteOptions": {"gracePeriodSeconds": 1},
    }
    api.merge(place, {"spec": {"unschedulable": True}})
    try:
        api.request("POST", f"{path}/eviction", evicted)
        eventually(
            lambda: api.find(path) is None or api.get(path)["status"]["phase"] != "Running", 60
        )
    finally:
        api.merge(place, {"spec": {"unschedulable": None}})
