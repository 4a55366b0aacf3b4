"""The Kubernetes account of a stack's verifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.core.v1 import ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from infra.components.ownership import owned
from infra.manifests.jobs import verifier_rules
from infra.manifests.names import labels, verifier_name

if TYPE_CHECKING:
    from collections.abc import Iterable

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class VerifierArgs:
    """The namespace, and the models whose services are read."""

    namespace: str
    models: Iterable[str]


class Verifier(pulumi.ComponentResource):
    """A service account that may only read why a model can't become ready."""

    account: str
    resources: list[pulumi.Resource]

    def __init__(
        self, name: str, args: VerifierArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        models = sorted(args.models)
        super().__init__("kserve-triton:index:Verifier", name, {"models": models}, opts)
        self.account = verifier_name(pulumi.get_stack())
        place = {"name": self.account, "namespace": args.namespace}
        manifest = owned({"metadata": place | {"labels": labels(self.account)}})
        options = pulumi.ResourceOptions(parent=self)
        self.resources = [
            ServiceAccount(self.account, **manifest, opts=options),
            Role(self.account, **manifest, rules=verifier_rules(models), opts=options),
            RoleBinding(
                self.account,
                **manifest,
                role_ref={"apiGroup": RBAC, "kind": "Role", "name": self.account},
                subjects=[{"kind": "ServiceAccount"} | place],
                opts=options,
            ),
        ]
        self.register_outputs({"account": self.account})
