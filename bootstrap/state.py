"""The bucket of the stacks' state, and the key of their secrets."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import kms

from bootstrap.buckets import DAY_SECONDS, private_bucket


@dataclass(frozen=True)
class StateArgs:
    """Project and region."""

    project: str
    location: str


class State(pulumi.ComponentResource):
    """Protected: without them the stacks' resources and secrets are lost."""

    bucket: pulumi.Output[str]
    url: pulumi.Output[str]
    key: pulumi.Output[str]
    secrets_provider: pulumi.Output[str]

    def __init__(
        self, name: str, args: StateArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:State", name, None, opts)
        options = pulumi.ResourceOptions(parent=self, protect=True)
        bucket = private_bucket(
            f"{name}-bucket", f"{args.project}-state", args.project, args.location, options
        )
        ring = kms.KeyRing(
            f"{name}-keys",
            name="kserve-triton",
            project=args.project,
            location=args.location,
            opts=options,
        )
        key = kms.CryptoKey(
            f"{name}-key",
            name="state",
            key_ring=ring.id,
            # Rotation adds a version for new secrets. Old versions stay, to decrypt old state.
            rotation_period=f"{90 * DAY_SECONDS}s",
            opts=options,
        )
        self.bucket = bucket.name
        self.url = pulumi.Output.concat("gs://", self.bucket)
        self.key = key.id
        self.secrets_provider = pulumi.Output.concat("gcpkms://", key.id)
        self.register_outputs({"url": self.url, "secretsProvider": self.secrets_provider})
