"""IAM of the bucket: a role on the objects under a prefix, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_gcp import storage

if TYPE_CHECKING:
    import pulumi

READ, CREATE = "roles/storage.objectViewer", "roles/storage.objectCreator"


def grant(
    name: str,
    bucket: str,
    member: pulumi.Input[str],
    role: str,
    prefix: str,
    opts: pulumi.ResourceOptions,
) -> storage.BucketIAMMember:
    """Give a member a role on the bucket's objects under a prefix."""
    path = f"projects/_/buckets/{bucket}/objects/{prefix}"
    condition: storage.BucketIAMMemberConditionArgsDict = {
        "title": f"only {prefix.rstrip('/')}",
        # Listing is a permission on the bucket itself; KServe lists before it downloads.
        "expression": f'resource.name.startsWith("{path}") || '
        f'resource.type == "storage.googleapis.com/Bucket"',
    }
    return storage.BucketIAMMember(
        name, bucket=bucket, role=role, member=member, condition=condition, opts=opts
    )
