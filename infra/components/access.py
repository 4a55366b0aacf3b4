"""Access to the bucket: its IAM members, and the Kubernetes accounts that are among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import storage
from pulumi_kubernetes.core.v1 import ServiceAccountPatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.manifests.access import Grant


@dataclass(frozen=True)
class AccessArgs:
    """The bucket, what is granted on it, and Kubernetes accounts that must be there."""

    bucket: str
    grants: Sequence[Grant]
    namespace: str
    accounts: Iterable[str]


class Access(pulumi.ComponentResource):
    """Grants that end with the setting they come from, and Kubernetes accounts that stay.

    An account is made if it is missing, and never deleted: other pods may use it too. Without
    grants it has no access.
    """

    def __init__(
        self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        accounts = sorted(args.accounts)
        inputs = {
            "grants": [f"{each.member}: {each.role}, {each.prefix}" for each in args.grants],
            "accounts": accounts,
        }
        super().__init__("kserve-triton:index:Access", name, inputs, opts)
        options = pulumi.ResourceOptions(parent=self)
        for grant in args.grants:
            storage.BucketIAMMember(
                f"{name}-{grant.key}",
                bucket=args.bucket,
                role=grant.role,
                member=grant.member,
                condition=storage.BucketIAMMemberConditionArgs(**grant.condition(args.bucket)),
                opts=options,
            )
        for account in accounts:
            ServiceAccountPatch(
                f"{name}-{account}",
                metadata={"name": account, "namespace": args.namespace},
                opts=options,
            )
        self.register_outputs({})
