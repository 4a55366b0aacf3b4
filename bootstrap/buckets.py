"""A bucket as everything here keeps one: private, and what is deleted can be had back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_gcp import storage

if TYPE_CHECKING:
    import pulumi

DAY_SECONDS = 24 * 60 * 60


def private_bucket(
    resource: str, name: str, project: str, location: str, opts: pulumi.ResourceOptions
) -> storage.Bucket:
    """Versioned; by roles alone; never public; not to be destroyed while something is in it."""
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
