"""A Google service account for the jobs of one GitHub environment, and its permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_gcp import kms, projects, serviceaccount, storage

from bootstrap.artefacts import READ
from bootstrap.permissions import only_bucket

if TYPE_CHECKING:
    from bootstrap.artefacts import Artefacts
    from bootstrap.federation import Federation
    from bootstrap.permissions import Permissions
    from bootstrap.settings import BootstrapSettings
    from bootstrap.state import State


@dataclass(frozen=True)
class AccountArgs:
    """The permissions of the account, and the resources they are granted on."""

    settings: BootstrapSettings
    permissions: Permissions
    federation: Federation
    state: State
    artefacts: Artefacts


class Account(pulumi.ComponentResource):
    """An account without keys: jobs of its GitHub environment get tokens for an hour."""

    settings: pulumi.Output[dict[str, Any]]

    def __init__(
        self, name: str, args: AccountArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:Account", name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self._account = serviceaccount.Account(
            f"{name}-account",
            account_id=f"kserve-triton-{name}",
            project=args.settings.project,
            display_name=f"Jobs of GitHub environment {args.permissions.environment}",
            opts=self._child,
        )
        serviceaccount.IAMMember(
            f"{name}-jobs",
            service_account_id=self._account.name,
            role="roles/iam.workloadIdentityUser",
            member=args.federation.jobs_of(args.permissions.environment),
            opts=self._child,
        )
        self._on_project()
        self._on_stores()
        self.settings = self._settings()
        self.register_outputs({"settings": self.settings})

    def _on_project(self) -> None:
        allowed, settings = self._args.permissions, self._args.settings
        for role in allowed.project:
            self._project_role(role.rpartition("/")[2], role)
        if allowed.own:
            self._project_role("own", self._role("own", allowed.own))
        # The stack creates the bucket later, so the condition uses its name.
        self._project_role(
            "models",
            self._role("models", allowed.models),
            {"title": "only models", "expression": only_bucket(settings.models_bucket)},
        )

    def _role(self, name: str, permissions: tuple[str, ...]) -> pulumi.Output[str]:
        """A custom role with exactly these permissions."""
        made: pulumi.Output[str] = projects.IAMCustomRole(
            f"{self._name}-role-{name}",
            role_id=f"kserveTriton.{self._name}.{name}",
            title=f"kserve-triton: {self._name}, {name}",
            project=self._args.settings.project,
            permissions=list(permissions),
            opts=self._child,
        ).name
        return made

    def _project_role(
        self,
        name: str,
        role: pulumi.Input[str],
        condition: projects.IAMMemberConditionArgsDict | None = None,
    ) -> None:
        projects.IAMMember(
            f"{self._name}-{name}",
            project=self._args.settings.project,
            role=role,
            member=self._account.member,
            condition=condition,
            opts=self._child,
        )

    def _on_stores(self) -> None:
        allowed, state, artefacts = self._args.permissions, self._args.state, self._args.artefacts
        storage.BucketIAMMember(
            f"{self._name}-state",
            bucket=state.bucket,
            role=allowed.state,
            member=self._account.member,
            opts=self._child,
        )
        # Creating a stack encrypts its data key once; jobs only decrypt it.
        kms.CryptoKeyIAMMember(
            f"{self._name}-key",
            crypto_key_id=state.key,
            role="roles/cloudkms.cryptoKeyDecrypter",
            member=self._account.member,
            opts=self._child,
        )
        artefacts.grant_releases(self._name, self._account.member, READ)
        artefacts.grant_images(self._name, self._account.member, allowed.images)

    def _settings(self) -> pulumi.Output[dict[str, Any]]:
        """The variable STACK_SETTINGS of the GitHub environment, which workflows read."""
        settings = self._args.settings
        return pulumi.Output.from_input(
            {
                "provider": self._args.federation.provider,
                "account": self._account.email,
                "project": settings.project,
                "cluster": settings.cluster,
                "clusterLocation": settings.cluster_location,
                "state": self._args.state.url,
                "artefacts": self._args.artefacts.url,
                "registry": settings.registry,
            }
        )
