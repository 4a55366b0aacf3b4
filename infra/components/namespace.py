"""The namespace of a stack's objects, and the names in it that are the stack's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMapPatch, NamespacePatch

from infra.components import failures
from infra.manifests.names import verifier_name

if TYPE_CHECKING:
    from collections.abc import Iterable

CLAIMS = "kserve-triton-models"


@dataclass(frozen=True)
class NamespaceArgs:
    """Its name, whether this stack makes it; the stack's models and bucket."""

    name: str
    create: bool
    models: Iterable[str]
    bucket: str


class Namespace(pulumi.ComponentResource):
    """Made here if it is missing, and never deleted: other stacks and people may use it too.

    A ConfigMap in it says which stack serves which model. A second stack with one of the same name
    is refused there, before it takes over the objects of the first. Stacks of two copies of this
    project may have one name, but each has a bucket of its own.
    """

    name: str

    def __init__(
        self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        stack = pulumi.get_stack()
        claims = sorted([*args.models, f"serviceaccount.{verifier_name(stack)}"])
        inputs = {"name": args.name, "create": args.create, "claims": claims}
        super().__init__("kserve-triton:index:Namespace", name, inputs, opts)
        self.name = args.name
        namespace = []
        if args.create:
            patch = NamespacePatch(
                f"{name}-{args.name}",
                metadata={"name": args.name},
                opts=pulumi.ResourceOptions(parent=self),
            )
            namespace.append(patch)
        ConfigMapPatch(
            f"{name}-{CLAIMS}",
            metadata={"name": CLAIMS, "namespace": args.name},
            data=dict.fromkeys(claims, f"{stack}, gs://{args.bucket}"),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=namespace,
                hooks=failures.explained(f"{name}-claims", lambda error: explain(error, args.name)),
            ),
        )
        self.register_outputs({"name": self.name})


def explain(error: str, namespace: str) -> str | None:
    """The remedy where another stack claims a name; None for other errors."""
    if "conflict" not in error:
        return None
    place = f"configmap {CLAIMS} -n {namespace}"
    return (
        f"another stack has a model or an account of the name above in the namespace {namespace}, "
        f"and nothing of it was changed. Which stack: kubectl get {place} -o yaml. Use another "
        f"name, or another namespace. If that stack is gone: kubectl delete {place}"
    )
