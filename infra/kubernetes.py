"""Objects of a Kubernetes API, by manifest."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_kubernetes._utilities import get_version


class KubernetesObject(pulumi.CustomResource):
    """An object under the type and plugin version that the official SDK gives it.

    The SDK's classes for it describe all of Kubernetes, and take 0.7 s of CPU to import; manifests
    are plain dicts here anyway.
    """

    def __init__(
        self,
        name: str,
        api_version: str,
        kind: str,
        manifest: dict[str, Any],
        opts: pulumi.ResourceOptions,
        patch: bool = False,
    ) -> None:
        group = api_version if "/" in api_version else f"core/{api_version}"
        token = f"kubernetes:{group}:{kind}{'Patch' if patch else ''}"
        # Outputs are what is named here, so a Job's status is named too.
        outputs = {"status": None} if kind == "Job" else {}
        props = {"apiVersion": api_version, "kind": kind} | manifest | outputs
        versioned = pulumi.ResourceOptions(version=get_version())
        super().__init__(token, name, props, pulumi.ResourceOptions.merge(opts, versioned))

    def output(self, name: str) -> pulumi.Output[Any]:
        """A property as the cluster has it."""
        found: pulumi.Output[Any] = pulumi.Output.from_input(getattr(self, name))
        return found


def existing_object(
    name: str,
    api_version: str,
    kind: str,
    identity: str,
    outputs: dict[str, Any],
    parent: pulumi.Resource,
) -> KubernetesObject:
    """One that is there already, as `namespace/name`; only read."""
    options = pulumi.ResourceOptions(parent=parent, id=identity)
    return KubernetesObject(name, api_version, kind, outputs | {"metadata": None}, options)
