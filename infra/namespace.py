"""The namespace that everything of a stack lies in."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.kubernetes import KubernetesObject


@dataclass(frozen=True)
class NamespaceArgs:
    """Its name, and whether it is this stack's to make."""

    name: str
    create: bool


class Namespace(pulumi.ComponentResource):
    """Made here if it is not there, and never deleted: other stacks and people may use it too."""

    name: str

    def __init__(
        self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Namespace", name, None, opts)
        self.name = args.name
        if args.create:
            KubernetesObject(
                f"{name}-{args.name}",
                "v1",
                "Namespace",
                {"metadata": {"name": args.name}},
                pulumi.ResourceOptions(parent=self),
                patch=True,
            )
        self.register_outputs({"name": self.name})
