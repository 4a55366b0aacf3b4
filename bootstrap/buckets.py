"""The bucket that state and releases use: private, and deleted objects can be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_gcp import storage

if TYPE_CHECKING:
    import pulumi

DAY_SECONDS = 24 * 60 * 60


def private_bucket(
    resource: str, name: str, project: str, location: str, opts: pulumi.ResourceOptions
) -> storage.Bucket:
    """Versioned, access by IAM only, never public, not destroyed while it has objects."""
    return storage.Bucket(
        resource,
        name=name,
        project=project,
        location=location,
        uniform_bucket_level_access=True,
        public_access_prevention="enforced",
        versioning={"enabled": True},
        soft_delete_policy={"retention_duration_seconds": 30 * DAY_SECONDS},
        lifecycle_rules=[
            {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": 90}}
        ],
        force_destroy=False,
        opts=opts,
    )
