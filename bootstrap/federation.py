"""Workload identity federation: GitHub's tokens instead of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import iam

if TYPE_CHECKING:
    from bootstrap.settings import BootstrapSettings

ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class FederationArgs:
    """The repository's settings and the environment's name."""

    settings: BootstrapSettings
    environment: str


class Federation(pulumi.ComponentResource):
    """A pool whose identities are jobs of this repository in this environment."""

    provider: pulumi.Output[str]
    project_number: pulumi.Output[int]

    def __init__(
        self, name: str, args: FederationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:Federation", name, None, opts)
        options = pulumi.ResourceOptions(parent=self)
        self._pool = iam.WorkloadIdentityPool(
            f"{name}-pool",
            workload_identity_pool_id="github",
            project=args.settings.project,
            display_name="Jobs of GitHub Actions",
            opts=options,
        )
        provider = iam.WorkloadIdentityPoolProvider(
            f"{name}-provider",
            workload_identity_pool_id=self._pool.workload_identity_pool_id,
            workload_identity_pool_provider_id="actions",
            project=args.settings.project,
            oidc={"issuer_uri": ISSUER},
            # Jobs without an environment lack this claim, and get no identity.
            attribute_mapping={
                "google.subject": "assertion.sub",
                "attribute.environment": "assertion.environment",
            },
            attribute_condition=condition(args.settings, args.environment),
            opts=options,
        )
        self.provider = provider.name
        # projects/NUMBER/locations/global/workloadIdentityPools/github
        self.project_number = self._pool.name.apply(lambda name: int(name.split("/")[1]))
        self.register_outputs({"provider": self.provider, "projectNumber": self.project_number})

    def jobs_of(self, environment: str) -> pulumi.Output[str]:
        """The IAM member for all jobs of a GitHub environment."""
        return pulumi.Output.concat(
            "principalSet://iam.googleapis.com/",
            self._pool.name,
            f"/attribute.environment/{environment}",
        )


def condition(settings: BootstrapSettings, environment: str) -> str:
    """CEL: the repository by name and number, its two environments, one of them on the branch only.

    GitHub's rules for environments require the same. This condition holds without them.
    """
    return (
        f'assertion.repository == "{settings.repository}"'
        f' && assertion.repository_id == "{settings.repository_id}"'
        f' && (assertion.environment == "{environment}-preview"'
        f' || assertion.environment == "{environment}"'
        f' && assertion.ref == "refs/heads/{settings.branch}")'
    )
