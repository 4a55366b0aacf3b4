"""The namespace that everything of a stack lies in, and which of its models are the stack's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components import failures
from infra.components.kubernetes import KubernetesObject

if TYPE_CHECKING:
    from collections.abc import Iterable

CLAIMS = "kserve-triton-models"


@dataclass(frozen=True)
class NamespaceArgs:
    """Its name, whether it is this stack's to make, and names in it that are the stack's alone."""

    name: str
    create: bool
    claims: Iterable[str]


class Namespace(pulumi.ComponentResource):
    """Made here if it is not there, and never deleted: other stacks and people may use it too.

    A ConfigMap in it says which stack serves which model, and made which account. A second stack
    with one of the same name is refused there, before it takes over the objects of the first.
    """

    name: str

    def __init__(
        self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Namespace", name, None, opts)
        self.name = args.name
        made = []
        if args.create:
            manifest = {"metadata": {"name": args.name}}
            options = pulumi.ResourceOptions(parent=self)
            patch = KubernetesObject(
                f"{name}-{args.name}", "v1", "Namespace", manifest, options, patch=True
            )
            made.append(patch)
        stack = pulumi.get_stack()
        KubernetesObject(
            f"{name}-{CLAIMS}",
            "v1",
            "ConfigMap",
            {
                "metadata": {"name": CLAIMS, "namespace": args.name},
                "data": dict.fromkeys(sorted(args.claims), stack),
            },
            pulumi.ResourceOptions(
                parent=self,
                depends_on=made,
                hooks=failures.explained(f"{name}-claims", lambda error: explain(error, args.name)),
            ),
            patch=True,
        )
        self.register_outputs({"name": self.name})


def explain(error: str, namespace: str) -> str | None:
    """What it means that a name is another stack's; None for any other error."""
    if "conflict" not in error:
        return None
    place = f"configmap {CLAIMS} -n {namespace}"
    return (
        f"another stack has a model or an account of the name above in the namespace {namespace}, "
        f"and nothing of it was changed. Which stack: kubectl get {place} -o yaml. Use another "
        f"name, or another namespace. If that stack is gone: kubectl delete {place}"
    )
