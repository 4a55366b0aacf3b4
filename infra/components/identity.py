"""Who pods are to Google Cloud: an account per stack for each purpose, by Workload Identity.

There are no keys: a Kubernetes service account acts as the Google one that its annotation names,
and the Google one lets that Kubernetes account, of this namespace, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.components import access
from infra.components.kubernetes import KubernetesObject
from infra.releases import MODELS, RESULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Identity as IdentitySettings
    from infra.config import Storage

ANNOTATION = "iam.gke.io/gcp-service-account"


@dataclass(frozen=True)
class IdentityArgs:
    """Settings, and the Kubernetes accounts that read models and add results."""

    identity: IdentitySettings
    storage: Storage
    namespace: str
    readers: Sequence[str]
    writers: Sequence[str]
    after: Sequence[pulumi.Resource]


class Identity(pulumi.ComponentResource):
    """Made here where the stack says so; else the accounts are there already."""

    def __init__(
        self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Identity", name, None, opts)
        self._name, self._args = name, args
        wanted = args.identity
        if wanted.create:
            self._make(wanted.models_account, args.readers, access.READ, MODELS)
            if args.writers:
                self._make(wanted.results_account, args.writers, access.ADD, RESULTS)
        self.register_outputs({})

    def _make(self, account_id: str, accounts: Sequence[str], role: str, prefix: str) -> None:
        # Only stacks that make accounts pay for the module.
        from pulumi_gcp import serviceaccount

        storage = self._args.storage
        options = pulumi.ResourceOptions(parent=self, depends_on=list(self._args.after))
        account = serviceaccount.Account(
            f"{self._name}-{account_id}",
            account_id=account_id,
            project=storage.project,
            display_name=f"{storage.bucket}: {prefix.rstrip('/')}",
            opts=pulumi.ResourceOptions(parent=self),
        )
        access.grant(
            f"{self._name}-{account_id}-bucket",
            storage.bucket,
            account.member,
            role,
            prefix,
            options,
        )
        for each in accounts:
            bound = f"{storage.project}.svc.id.goog[{self._args.namespace}/{each}]"
            serviceaccount.IAMMember(
                f"{self._name}-{account_id}-{each}",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{bound}",
                opts=pulumi.ResourceOptions(parent=self),
            )
            self._make_account(each, f"{account_id}@{storage.project}.iam.gserviceaccount.com")

    def _make_account(self, name: str, email: str) -> None:
        metadata = {
            "name": name,
            "namespace": self._args.namespace,
            "annotations": {ANNOTATION: email},
        }
        KubernetesObject(
            f"{self._name}-{name}",
            "v1",
            "ServiceAccount",
            {"metadata": metadata},
            pulumi.ResourceOptions(parent=self, depends_on=list(self._args.after)),
        )
