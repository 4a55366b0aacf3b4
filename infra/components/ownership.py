"""Who owns the fields of a Kubernetes object, by server-side apply.

An object that is the stack's own is applied with force, under one field manager a stack: the stack
takes back what others changed, and an interrupted update leaves no fields of an unknown manager.

A patch declares some fields of an object that others use too. Its field manager is the plugin's
random one: the annotation for another would itself be a field on which two stacks don't agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from infra.manifests.names import Manifest

FIELD_MANAGER = "pulumi.com/patchFieldManager"
FORCE = "pulumi.com/patchForce"


def owned(manifest: Manifest) -> Manifest:
    """The manifest of an object that only this stack writes."""
    manager = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    return _annotate(manifest, {FORCE: "true", FIELD_MANAGER: manager})


def forced(manifest: Manifest) -> Manifest:
    """The manifest of a patch that takes fields over from their owners."""
    return _annotate(manifest, {FORCE: "true"})


def _annotate(manifest: Manifest, annotations: dict[str, str]) -> Manifest:
    metadata = manifest["metadata"]
    merged = dict(metadata.get("annotations") or {}) | annotations
    return manifest | {"metadata": metadata | {"annotations": merged}}
