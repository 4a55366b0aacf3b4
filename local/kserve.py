"""The objects of KServe, from its own manifests, with settings for a machine without a cloud."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import yaml

from local import manifests
from local.toolchain import module, version

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Object
    from local.layout import Layout

__all__ = ["NAMESPACE", "VERSION", "admission", "foundation"]

NAMESPACE = "kserve"
_MODULE, _FOLDER = "github.com/kserve/kserve", "local/tools/kubernetes"
VERSION = version(_MODULE, _FOLDER)

_SETTINGS: dict[str, dict[str, object]] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    # A model in mode Standard is reached at its Service; in mode Knative, through Kourier.
    "ingress": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
    "storageInitializer": {"image": f"kserve/storage-initializer:{VERSION}"},
    # For containers without requests: KServe's default of 1 CPU and 2 Gi doesn't fit a laptop.
    "inferenceService": {
        "resource": {
            "cpuLimit": "1",
            "memoryLimit": "2Gi",
            "cpuRequest": "100m",
            "memoryRequest": "256Mi",
        }
    },
}


def _config() -> Path:
    return module(_MODULE, _FOLDER) / "config"


def foundation() -> list[Object]:
    """Objects for KServe's start: namespace, definitions, configuration, roles."""
    config = _config()
    definitions = config / "crd" / "full"
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        # Excludes the namespace from KServe's own webhooks.
        "metadata": {"name": NAMESPACE, "labels": {"control-plane": "kserve-controller-manager"}},
    }
    roles = ("role", "role_binding", "leader_election_role", "leader_election_role_binding")
    accounts = ("service_account", *roles)
    return [
        namespace,
        *manifests.read(definitions, definitions / "clusterstoragecontainer"),
        *map(_configured, manifests.read(config / "configmap")),
        *manifests.with_namespace(
            manifests.read(*(config / "rbac" / f"{name}.yaml" for name in accounts)), NAMESPACE
        ),
    ]


def _configured(config_map: Object) -> Object:
    """KServe's ConfigMap, with the settings above merged into its keys."""
    data = config_map["data"]
    for key, changes in _SETTINGS.items():
        data[key] = json.dumps(json.loads(data[key]) | changes, indent=2)
    return config_map


def admission(layout: Layout) -> list[Object]:
    """Its webhooks, and the runtimes that these must admit."""
    config = _config()
    published = manifests.read(config / "webhook" / "manifests.yaml")
    return [
        *(_on_loopback(layout, each) for each in published),
        *_with_images(config / "runtimes"),
        *_with_images(config / "storagecontainers"),
    ]


def _on_loopback(layout: Layout, webhooks: Object) -> Object:
    authority = base64.b64encode((layout.certificates / "ca.crt").read_bytes()).decode()
    address = f"https://127.0.0.1:{layout.ports()['kserve-webhook']}"
    for webhook in webhooks["webhooks"]:
        path = webhook["clientConfig"]["service"]["path"]
        webhook["clientConfig"] = {"url": address + path, "caBundle": authority}
    webhooks["metadata"].pop("creationTimestamp", None)
    return webhooks


def _with_images(folder: Path) -> list[Object]:
    """The objects of a folder, with the images of its kustomization."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    images = {each["name"]: each for each in kustomization["images"]}
    objects = manifests.read(*(folder / name for name in kustomization["resources"]))
    for each in objects:
        spec = each["spec"]
        worker = spec.get("workerSpec", {}).get("containers", [])
        for container in [*spec.get("containers", []), *worker, spec.get("container")]:
            if container:
                container["image"] = _image(container["image"], images)
    return objects


def _image(placeholder: str, images: dict[str, Object]) -> str:
    image = images.get(placeholder.split(":", maxsplit=1)[0])
    if image is None:
        return placeholder
    name, tag = str(image["newName"]), str(image["newTag"])
    # The repository has `latest` where a release of KServe has its own version.
    return f"{name}:{tag.replace('latest', VERSION) if name.startswith('kserve/') else tag}"
