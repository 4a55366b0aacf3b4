"""GitHub's word on who a job is, taken in place of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import iam

if TYPE_CHECKING:
    from bootstrap.settings import Settings

ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(frozen=True)
class FederationArgs:
    """Whose jobs, for which environment."""

    settings: Settings
    environment: str


class Federation(pulumi.ComponentResource):
    """A pool of identities, each a job of this repository in this environment."""

    provider: pulumi.Output[str]

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
            # A job without an environment has no such claim, and so no identity here.
            attribute_mapping={
                "google.subject": "assertion.sub",
                "attribute.environment": "assertion.environment",
            },
            attribute_condition=condition(args.settings, args.environment),
            opts=options,
        )
        self.provider = provider.name
        self.register_outputs({"provider": self.provider})

    def jobs_of(self, environment: str) -> pulumi.Output[str]:
        """All jobs of a GitHub environment, as an IAM member."""
        return pulumi.Output.concat(
            "principalSet://iam.googleapis.com/",
            self._pool.name,
            f"/attribute.environment/{environment}",
        )


def condition(settings: Settings, environment: str) -> str:
    """CEL: this repository by name and number, in the environment's two, one on its branch only.

    GitHub's own rules for environments say the same; here it holds even where they were forgotten.
    """
    return (
        f'assertion.repository == "{settings.repository}"'
        f' && assertion.repository_id == "{settings.repository_id}"'
        f' && (assertion.environment == "{environment}-preview"'
        f' || assertion.environment == "{environment}"'
        f' && assertion.ref == "refs/heads/{settings.branch}")'
    )
