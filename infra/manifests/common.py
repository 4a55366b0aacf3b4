"""What several manifests have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Component, Jobs
    from infra.releases import Artefact

Manifest = dict[str, Any]

RELEASE_MOUNT = "/etc/kserve-triton/release"
# What a Job is asked, as JSON: it changes only with the Job, and needs no object of its own.
JOB_VARIABLE = "KSERVE_TRITON_JOB"
TRANSFORMER_PORT = 8080
# Triton's default, which KServe's runtime leaves.
TRITON_METRICS_PORT = 8002
SCRATCH = {"name": "scratch", "mountPath": "/tmp"}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# KServe's own labels of a pod.
SERVICE_LABEL, COMPONENT_LABEL = "serving.kserve.io/inferenceservice", "component"


def labels(name: str) -> dict[str, str]:
    """Kubernetes' recommended labels."""
    return {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "kserve-triton",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def proof_labels(name: str) -> dict[str, str]:
    """Of the pods of a model's Jobs: they may reach what they prove."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "proof"}


def pods(name: str, component: str) -> dict[str, str]:
    """Labels that KServe gives a component's pods, of every revision and canary."""
    return {SERVICE_LABEL: name, COMPONENT_LABEL: component}


def release_map_name(artefact: Artefact) -> str:
    """ConfigMap with release.json, named by its content."""
    return f"release-{artefact.name}-{artefact.digest[:12]}"


def release_volume(artefact: Artefact) -> Manifest:
    """The release, as a volume of the containers that follow it."""
    return {"name": "release", "configMap": {"name": release_map_name(artefact)}}


def scratch_volume() -> Manifest:
    """A /tmp of the pod's own: the root file system is read-only."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}


def mount(name: str, path: str) -> Manifest:
    """A volume, read-only."""
    return {"name": name, "mountPath": path, "readOnly": True}


def resources(component: Component | Jobs, gpu_count: int = 0) -> Manifest:
    """Requests equal limits: nothing is throttled by a neighbour, nothing is evicted first."""
    gpu = {"nvidia.com/gpu": str(gpu_count)} if gpu_count else {}
    bounds = {"cpu": component.cpu, "memory": component.memory} | gpu
    return {"requests": bounds, "limits": dict(bounds)}


def environment(values: dict[str, str]) -> list[Manifest]:
    """Environment variables, in a stable order."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def probe(path: str, port: int) -> Manifest:
    """Ready when it answers; asked often, so that a rollout is short."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    }


def pull_secrets(names: Sequence[str]) -> Manifest:
    """Of a pod's spec: what its images are pulled with."""
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}
