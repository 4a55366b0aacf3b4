"""Parts of pods that several manifests have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.types import Placement
from infra.manifests.names import Manifest, release_map_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Compiler, Component, Jobs, ModelSettings
    from infra.manifests.artefact import Artefact

RELEASE_MOUNT = "/etc/kserve-triton/release"
SCRATCH = {"name": "scratch", "mountPath": "/tmp"}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def release_volume(artefact: Artefact) -> Manifest:
    """The volume with release.json, and the handler where it is small."""
    name = release_map_name(artefact.name, artefact.digest)
    return {"name": "release", "configMap": {"name": name, "items": artefact.map_items}}


def scratch_volume() -> Manifest:
    """A volume for /tmp, since the root file system is read-only."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}


def mount(name: str, path: str) -> Manifest:
    """A volume, read-only."""
    return {"name": name, "mountPath": path, "readOnly": True}


def resources(component: Component | Jobs | Compiler, gpu_count: int = 0) -> Manifest:
    """Requests equal limits, so that the pod's QoS class is Guaranteed."""
    gpu = {"nvidia.com/gpu": str(gpu_count)} if gpu_count else {}
    bounds = {"cpu": component.cpu, "memory": component.memory} | gpu
    return {"requests": bounds, "limits": dict(bounds)}


def environment(values: dict[str, str]) -> list[Manifest]:
    """Environment variables, in a stable order."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def probe(path: str, port: int) -> Manifest:
    """A readiness probe with a short period, so that a rollout is short."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": 2,
        "timeoutSeconds": 2,
        "failureThreshold": 3,
    }


def pre_stop(seconds: int) -> Manifest:
    """A container's hook that delays its SIGTERM, so that it answers until nothing reaches it."""
    return {"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}} if seconds else {}


def triton_drain(settings: ModelSettings) -> int:
    """Seconds between the announcement of a pod's end and the SIGTERM of its Triton.

    A transformer beside it takes requests for its own drain, and they reach Triton after that.
    """
    collocated = settings.placement is Placement.COLLOCATED
    before = settings.transformer.drain_seconds if collocated else 0
    return before + settings.predictor.drain_seconds


def pull_secrets(names: Sequence[str]) -> Manifest:
    """`imagePullSecrets` of a pod's spec."""
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}
