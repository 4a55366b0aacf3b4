"""The objects of Knative Serving, from its own manifests.

Only its controller and webhook run here, without autoscaler, activator and ingress: a Knative
Service gets a Deployment, or the reason why not, but no route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import manifests
from local.toolchain import module, version

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Object
    from local.layout import Layout

__all__ = ["NAMESPACE", "VERSION", "admission", "foundation"]

NAMESPACE = "knative-serving"
_MODULE, _FOLDER = "knative.dev/serving", "local/tools/knative"
VERSION = version(_MODULE, _FOLDER)
_QUEUE_IMAGE = f"gcr.io/knative-releases/knative.dev/serving/cmd/queue:{VERSION}"


def _core() -> Path:
    return module(_MODULE, _FOLDER) / "config" / "core"


def foundation() -> list[Object]:
    """Objects that its webhook does not need to admit: definitions, roles, ConfigMaps."""
    core = _core()
    networking = module("knative.dev/networking", _FOLDER) / "config"
    caching = module("knative.dev/caching", _FOLDER) / "config"
    found = manifests.read(
        core, core / "200-roles", core / "300-resources", core / "configmaps", networking, caching
    )
    for each in found:
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "config-deployment":
            each["data"]["queue-sidecar-image"] = _QUEUE_IMAGE
    secret = manifests.read(core / "webhooks" / "secret.yaml")
    return [*found, *secret, _webhook_service()]


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
