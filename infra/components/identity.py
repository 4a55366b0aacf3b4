"""Google service accounts of the pods, one a purpose, by Workload Identity.

There are no keys: a Kubernetes service account acts as the Google one that its annotation names,
and the Google one lets that Kubernetes account, of this namespace, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import serviceaccount
from pulumi_kubernetes.core.v1 import ServiceAccount

from infra.components.bucket_access import CREATE, READ, grant
from infra.components.ownership import owned
from infra.manifests.names import PROGRAMS, RESULTS
from release.files import MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config import IdentitySettings, Storage

ANNOTATION = "iam.gke.io/gcp-service-account"


@dataclass(frozen=True)
class IdentityArgs:
    """Settings, and the Kubernetes accounts that read models, add results and compile."""

    identity: IdentitySettings
    storage: Storage
    namespace: str
    readers: Sequence[str]
    writers: Sequence[str]
    compilers: Sequence[str]


class Identity(pulumi.ComponentResource):
    """The accounts, where `identity.create` is set; otherwise they exist already."""

    def __init__(
        self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "create": args.identity.create,
            "readers": list(args.readers),
            "writers": list(args.writers),
            "compilers": list(args.compilers),
        }
        super().__init__("kserve-triton:index:Identity", name, inputs, opts)
        self._name, self._args = name, args
        self._options = pulumi.ResourceOptions(parent=self)
        if args.identity.create:
            made = args.identity
            self._create(made.models_account, args.readers, {MODELS: READ})
            self._create(made.results_account, args.writers, {RESULTS: CREATE})
            both = {PROGRAMS: READ, MODELS: CREATE}
            self._create(made.compiler_account, args.compilers, both)
        self.register_outputs({})

    def _create(self, account_id: str, accounts: Sequence[str], roles: Mapping[str, str]) -> None:
        """A Google account with a role on each prefix, and the Kubernetes accounts that act as it.

        Nothing where there are no such accounts.
        """
        if not accounts:
            return
        storage = self._args.storage
        name = f"{self._name}-{account_id}"
        account = serviceaccount.Account(
            name,
            account_id=account_id,
            project=storage.project,
            display_name=f"{storage.bucket}: {', '.join(prefix.rstrip('/') for prefix in roles)}",
            opts=self._options,
        )
        for prefix, role in roles.items():
            grant(
                f"{name}-{prefix.rstrip('/')}",
                storage.bucket,
                account.member,
                role,
                prefix,
                self._options,
            )
        for each in accounts:
            bound = f"{storage.project}.svc.id.goog[{self._args.namespace}/{each}]"
            serviceaccount.IAMMember(
                f"{name}-{each}",
                service_account_id=account.name,
                role="roles/iam.workloadIdentityUser",
                member=f"serviceAccount:{bound}",
                opts=self._options,
            )
            email = f"{account_id}@{storage.project}.iam.gserviceaccount.com"
            self._create_kubernetes_account(each, email)

    def _create_kubernetes_account(self, name: str, email: str) -> None:
        metadata = {
            "name": name,
            "namespace": self._args.namespace,
            "annotations": {ANNOTATION: email},
        }
        ServiceAccount(f"{self._name}-{name}", **owned({"metadata": metadata}), opts=self._options)
