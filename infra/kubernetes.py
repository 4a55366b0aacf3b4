"""Objects of a Kubernetes API, by manifest."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes._utilities import get_version

FIELD_MANAGER = "pulumi.com/patchFieldManager"
FORCE = "pulumi.com/patchForce"


class KubernetesObject(pulumi.CustomResource):
    """An object under the type and plugin version that the official SDK gives it.

    The SDK's classes for it describe all of Kubernetes, and take 0.7 s of CPU to import; manifests
    are plain dicts here anyway.

    `patch` declares some fields of an object that others own too, and makes it where there is none;
    without `force` a field that somebody else has set to another value is refused. Deleting a patch
    gives its fields up. All other objects are the stack's own: it takes back what others changed.
    """

    def __init__(
        self,
        name: str,
        api_version: str,
        kind: str,
        manifest: dict[str, Any],
        opts: pulumi.ResourceOptions,
        *,
        patch: bool = False,
        force: bool = False,
    ) -> None:
        group = api_version if "/" in api_version else f"core/{api_version}"
        token = f"kubernetes:{group}:{kind}{'Patch' if patch else ''}"
        # Outputs are what is named here, so a Job's status is named too.
        outputs = {"status": None} if kind == "Job" else {}
        props = {"apiVersion": api_version, "kind": kind} | _managed(manifest, force or not patch)
        versioned = pulumi.ResourceOptions(version=get_version())
        merged = pulumi.ResourceOptions.merge(opts, versioned)
        super().__init__(token, name, props | outputs, merged)

    def output(self, name: str) -> pulumi.Output[Any]:
        """A property as the cluster has it."""
        found: pulumi.Output[Any] = pulumi.Output.from_input(getattr(self, name))
        return found


def field_manager() -> str:
    """The stack's name as the API server keeps it beside each field that the stack sets."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}"


def _managed(manifest: dict[str, Any], force: bool) -> dict[str, Any]:
    """The manifest as server-side apply takes it.

    The plugin would give each object a manager with a random name. An object that an interrupted
    update left behind would then keep fields of a manager that nobody remembers.
    """
    metadata = manifest["metadata"]
    annotations = dict(metadata.get("annotations") or {}) | {FIELD_MANAGER: field_manager()}
    if force:
        annotations[FORCE] = "true"
    return manifest | {"metadata": metadata | {"annotations": annotations}}
