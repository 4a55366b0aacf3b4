"""The objects of Knative Serving, from its own manifests.

Its controller and webhook are processes of the machine. Its activator and autoscaler run in pods,
as the queue-proxies do and, in `local.kourier`, the ingress.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import manifests
from local.toolchain import module, version

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Object
    from local.layout import Layout

__all__ = ["DEPLOYMENTS", "NAMESPACE", "VERSION", "admission", "foundation", "in_pods"]

NAMESPACE = "knative-serving"
DEPLOYMENTS = ("activator", "autoscaler")
FOLDER = "local/tools/knative"
_MODULE = "knative.dev/serving"
VERSION = version(_MODULE, FOLDER)
_RELEASES = "gcr.io/knative-releases"
# What `ko` replaces by an image when Knative is released.
_SOURCE = "ko://"
# Those of the manifests are for clusters of many nodes, and take a core and more.
_REQUESTS = {"cpu": "25m", "memory": "60Mi"}
_PROBE_SECONDS = 2

_SETTINGS: dict[str, dict[str, str]] = {
    "config-deployment": {
        "queue-sidecar-image": f"{_RELEASES}/{_MODULE}/cmd/queue:{VERSION}",
        "queue-sidecar-cpu-request": _REQUESTS["cpu"],
    },
    "config-network": {"ingress-class": "kourier.ingress.networking.knative.dev"},
    # Each revision has seven ports on this machine; by default those without traffic stay two days.
    "config-gc": {
        "retain-since-create-time": "disabled",
        "retain-since-last-active-time": "disabled",
        "min-non-active-revisions": "10",
        "max-non-active-revisions": "10",
    },
    # A name that browsers and curl resolve to this machine.
    "config-domain": {"localhost": ""},
    "config-autoscaler": {
        # So that one sees within a minute what takes minutes elsewhere.
        "stable-window": "10s",
        "scale-to-zero-grace-period": "5s",
        # The activator leaves the path of requests as soon as there are pods.
        "target-burst-capacity": "0",
    },
}


def _core() -> Path:
    return module(_MODULE, FOLDER) / "config" / "core"


def foundation() -> list[Object]:
    """Objects that its webhook does not need to admit: definitions, roles, ConfigMaps, pods."""
    core = _core()
    networking = module("knative.dev/networking", FOLDER) / "config"
    caching = module("knative.dev/caching", FOLDER) / "config"
    found = manifests.read(
        core, core / "200-roles", core / "300-resources", core / "configmaps", networking, caching
    )
    for each in found:
        if each["kind"] == "ConfigMap":
            each["data"] |= _SETTINGS.get(each["metadata"]["name"], {})
    secret = manifests.read(core / "webhooks" / "secret.yaml")
    pods = manifests.read(*(core / "deployments" / f"{name}.yaml" for name in DEPLOYMENTS))
    return [*found, *secret, *in_pods(pods, VERSION), _webhook_service()]


def in_pods(found: list[Object], release: str) -> list[Object]:
    """Manifests with their Deployments fitted to one small machine."""
    for manifest in found:
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            # The activator's ten minutes are for the longest request that Knative allows.
            pod["terminationGracePeriodSeconds"] = 30
            for container in pod["containers"]:
                _fit(container, release)
    return found


def _fit(container: Object, release: str) -> None:
    image = container["image"]
    if image.startswith(_SOURCE):
        container["image"] = f"{_RELEASES}/{image.removeprefix(_SOURCE)}:{release}"
    container["resources"] = {"requests": _REQUESTS}
    for kind in ("readinessProbe", "livenessProbe"):
        probe = container[kind] | {"initialDelaySeconds": 0, "periodSeconds": _PROBE_SECONDS}
        # The node agent starts a process for each gRPC probe, a tenth of a core at this period.
        if service := probe.pop("grpc", None):
            probe["tcpSocket"] = {"port": service["port"]}
        container[kind] = probe


def _webhook_service() -> Object:
    """Knative configures its webhook with a Service; this one resolves to loopback."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "webhook", "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }


def admission(layout: Layout) -> list[Object]:
    """The webhook configurations, at this cluster's port."""
    found = [m for m in manifests.read(_core() / "webhooks") if m["kind"] != "Secret"]
    for manifest in found:
        for webhook in manifest["webhooks"]:
            webhook["clientConfig"]["service"]["port"] = layout.ports()["knative-webhook"]
    return found
