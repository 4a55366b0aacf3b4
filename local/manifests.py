"""Kubernetes manifests from the sources of Go modules."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import yaml

from local.api import Api, ApiError, Object

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["apply_all", "read", "with_namespace"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CLUSTER_WIDE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterServingRuntime",
        "ClusterStorageContainer",
        "CustomResourceDefinition",
        "MutatingWebhookConfiguration",
        "Namespace",
        "ValidatingWebhookConfiguration",
    }
)


def read(*places: Path) -> list[Object]:
    """The objects of these files, and of the YAML files in these folders, in the files' order."""
    files: list[Path] = []
    for place in places:
        files += sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    documents = [
        document
        for file in files
        if file.name != "kustomization.yaml"
        for document in yaml.load_all(file.read_text(), _Loader)
    ]
    return [document for document in documents if document]


def with_namespace(manifests: Iterable[Object], namespace: str) -> list[Object]:
    """Set the namespace of objects and of bindings' accounts, as kustomize's `namespace:` does."""
    placed = []
    for manifest in manifests:
        if manifest["kind"] not in _CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = namespace
        for subject in manifest.get("subjects", []):
            if subject["kind"] == "ServiceAccount":
                subject["namespace"] = namespace
        placed.append(manifest)
    return placed


def apply_all(api: Api, manifests: Iterable[Object]) -> None:
    """Apply namespaces and definitions first, then the rest. Raises ApiError with the object."""
    rest = list(manifests)
    for kind in ("Namespace", "CustomResourceDefinition"):
        first = [each for each in rest if each["kind"] == kind]
        rest = [each for each in rest if each["kind"] != kind]
        _apply_together(api, first)
        if kind == "CustomResourceDefinition":
            api.wait_for_definitions(first)
    _apply_together(api, rest)
    _wait_for_aggregation(api, [each for each in rest if "aggregationRule" in each])


def _wait_for_aggregation(api: Api, roles: list[Object], patience: float = 30.0) -> None:
    """Wait until the controller manager has filled these roles with rules."""
    deadline = time.monotonic() + patience
    empty = list(roles)
    while empty and time.monotonic() < deadline:
        empty = [role for role in empty if not api.get(api.path(role)).get("rules")]
        time.sleep(0.1 if empty else 0)


def _apply_together(api: Api, manifests: list[Object]) -> None:
    def apply(manifest: Object) -> None:
        try:
            api.apply(manifest)
        except ApiError as error:
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            raise ApiError(error.status, f"{name}: {error}") from error

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(apply, manifests))


def digest(*parts: object) -> str:
    """A short digest of any values."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
