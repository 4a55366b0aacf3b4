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

    `patch` declares some fields of an object that others use too, and makes it where there is none;
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
        steering = _force() if force else {} if patch else _force() | _manager()
        props = {"apiVersion": api_version, "kind": kind} | _annotated(manifest, steering)
        versioned = pulumi.ResourceOptions(version=get_version())
        merged = pulumi.ResourceOptions.merge(opts, versioned)
        super().__init__(token, name, props | outputs, merged)

    def output(self, name: str) -> pulumi.Output[Any]:
        """A property as the cluster has it."""
        found: pulumi.Output[Any] = pulumi.Output.from_input(getattr(self, name))
        return found


def _force() -> dict[str, str]:
    return {FORCE: "true"}


def _manager() -> dict[str, str]:
    """The name under which the API server keeps who set a field, of an object that is the stack's.

    The plugin would take a random one. What an interrupted update had made would then keep fields
    of a manager that nobody remembers. Patches have a random one: the annotation that gives another
    would itself be a field on which two stacks don't agree.
    """
    return {FIELD_MANAGER: f"{pulumi.get_project()}-{pulumi.get_stack()}"}


def _annotated(manifest: dict[str, Any], annotations: dict[str, str]) -> dict[str, Any]:
    metadata = manifest["metadata"]
    merged = dict(metadata.get("annotations") or {}) | annotations
    return manifest | {"metadata": metadata | ({"annotations": merged} if merged else {})}
