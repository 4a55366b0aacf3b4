"""Who the verifications of a stack are to the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components.kubernetes import KubernetesObject
from infra.manifests.common import labels
from infra.manifests.jobs import verifier_name, verifier_rules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.manifests.common import Manifest

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class VerifierArgs:
    """The stack's name, its namespace, and the models whose services are read."""

    stack: str
    namespace: str
    models: Iterable[str]


class Verifier(pulumi.ComponentResource):
    """A service account that may read what tells why a service can't come up, and no more."""

    account: str
    resources: list[pulumi.Resource]

    def __init__(
        self, name: str, args: VerifierArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Verifier", name, None, opts)
        self.account = verifier_name(args.stack)
        place = {"name": self.account, "namespace": args.namespace}
        made = {"metadata": place | {"labels": labels(self.account)}}
        role = made | {"rules": verifier_rules(args.models)}
        binding = made | {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": self.account},
            "subjects": [{"kind": "ServiceAccount"} | place],
        }
        self.resources = [
            self._object("v1", "ServiceAccount", made),
            self._object(f"{RBAC}/v1", "Role", role),
            self._object(f"{RBAC}/v1", "RoleBinding", binding),
        ]
        self.register_outputs({"account": self.account})

    def _object(self, version: str, kind: str, manifest: Manifest) -> KubernetesObject:
        options = pulumi.ResourceOptions(parent=self)
        return KubernetesObject(self.account, version, kind, manifest, options)
