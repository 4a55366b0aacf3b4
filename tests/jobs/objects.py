"""Kubernetes objects as KServe 0.20 and the kubelet make them, cut to what can matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
NEW = "gs://bucket/models/digits/new"
OLD = "gs://bucket/models/digits/old"
TRITON = "nvcr.io/nvidia/tritonserver:26.05-py3"
DIGEST = "sha256:" + "0" * 64


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def service(
    uri: str = NEW,
    *,
    changed: float = 60,
    replicas: int = 1,
    transformer: bool = False,
    model_status: dict[str, Any] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    components: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An InferenceService whose spec was written `changed` seconds ago."""
    spec: dict[str, Any] = {
        "predictor": {
            "minReplicas": replicas,
            "model": {
                "modelFormat": {"name": "triton"},
                "protocolVersion": "v2",
                "runtime": "kserve-tritonserver",
                "runtimeVersion": "26.05-py3",
                "storageUri": uri,
            },
        }
    }
    if transformer:
        spec["transformer"] = {"containers": [{"name": "kserve-container"}]}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "digits",
            "namespace": "models",
            "creationTimestamp": ago(changed + 3600),
            "generation": 2,
            "managedFields": [
                {
                    "manager": "pulumi-kubernetes",
                    "operation": "Apply",
                    "time": ago(changed),
                    "fieldsV1": {"f:metadata": {}, "f:spec": {"f:predictor": {}}},
                },
                {
                    "manager": "manager",
                    "operation": "Update",
                    "subresource": "status",
                    "time": ago(0),
                    "fieldsV1": {"f:status": {}},
                },
            ],
        },
        "spec": spec,
        "status": {
            "observedGeneration": 1,
            "conditions": conditions or [],
            "components": components or {},
            "modelStatus": model_status or {"transitionStatus": "InProgress"},
        },
    }


def pod(
    name: str = "digits-predictor-6c9d4f7b5-x2x7p",
    *,
    uri: str | None = NEW,
    component: str = "predictor",
    template: str = "6c9d4f7b5",
    made: float = 50,
    ready: bool = False,
    init: list[dict[str, Any]] | None = None,
    containers: list[dict[str, Any]] | None = None,
    conditions: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """A pod of a component; `uri` None: one that fetches nothing, as transformers."""
    fetching = [{"name": "storage-initializer", "args": [uri, "/mnt/models"]}] if uri else []
    state = {"type": "Ready", "status": "True" if ready else "False"}
    return {
        "metadata": {
            "name": name,
            "namespace": "models",
            "creationTimestamp": ago(made),
            "labels": {
                "app": f"isvc.digits-{component}",
                "component": component,
                "pod-template-hash": template,
                "serving.kserve.io/inferenceservice": "digits",
            },
        },
        "spec": {"initContainers": fetching, "containers": [{"name": "kserve-container"}]},
        "status": {
            "phase": "Running" if ready else "Pending",
            "conditions": [*(conditions or []), state],
            "initContainerStatuses": init or [],
            "containerStatuses": containers or [],
        },
    }


def revision(
    number: int = 1,
    *,
    uri: str | None = NEW,
    component: str = "predictor",
    ready: str = "True",
    reason: str = "",
    message: str = "",
) -> dict[str, Any]:
    """A revision of Knative's, the component's `number`th."""
    said = {"type": "Ready", "status": ready, "reason": reason, "message": message}
    source = "internal.serving.kserve.io/storage-initializer-sourceuri"
    return {
        "metadata": {
            "name": f"digits-{component}-{number:05}",
            "annotations": {source: uri} if uri else {},
            "labels": {
                "component": component,
                "serving.knative.dev/configurationGeneration": str(number),
                "serving.kserve.io/inferenceservice": "digits",
            },
        },
        "status": {"conditions": [said]},
    }


def traffic(*shares: tuple[int, int], component: str = "predictor") -> dict[str, Any]:
    """A component's status: (number of a revision, percent), that of the newest one last.

    With more than one share the newest one is tagged, as for a canary.
    """
    made = []
    for number, percent in shares:
        share = {"revisionName": f"digits-{component}-{number:05}", "percent": percent}
        newest = (number, percent) == shares[-1]
        tag = {"tag": "latest" if newest else "prev"} if len(shares) > 1 else {}
        made.append(share | tag | {"latestRevision": newest})
    return {"traffic": made}


def replica_set(
    message: str | None = None,
    *,
    uri: str = NEW,
    replicas: int = 1,
    template: str = "6c9d4f7b5",
    number: int = 1,
) -> dict[str, Any]:
    """A ReplicaSet of the predictor, of its Deployment's `number`th revision.

    With a message it is one that could not make its last pod.
    """
    failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    source = "internal.serving.kserve.io/storage-initializer-sourceuri"
    return {
        "metadata": {
            "name": f"digits-{template}",
            "annotations": {"deployment.kubernetes.io/revision": str(number)},
            "labels": {"app": "isvc.digits-predictor", "pod-template-hash": template},
            "ownerReferences": [{"uid": "digits-predictor"}],
        },
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"annotations": {source: uri}}, "spec": {"containers": []}},
        },
        "status": {"conditions": [failed | {"message": message}] if message else []},
    }


def waiting(
    reason: str,
    message: str = "",
    *,
    name: str = "kserve-container",
    restarts: int = 0,
    last: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A container that isn't running, and how its last run ended."""
    return {
        "name": name,
        "image": TRITON,
        "ready": False,
        "restartCount": restarts,
        "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {"terminated": last} if last else {},
    }


def running(
    *,
    name: str = "kserve-container",
    ready: bool = True,
    restarts: int = 0,
    last: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "image": TRITON,
        "ready": ready,
        "restartCount": restarts,
        "state": {"running": {"startedAt": ago(20)}},
        "lastState": {"terminated": last} if last else {},
    }


def event(
    name: str, reason: str, message: str, *, first: float, last: float, kind: str = "Warning"
) -> dict[str, Any]:
    return {
        "type": kind,
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": "Pod", "name": name},
        "firstTimestamp": ago(first),
        "lastTimestamp": ago(last),
    }
