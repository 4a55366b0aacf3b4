"""An object in a bucket, by no more than what is asked for."""

from __future__ import annotations

import pulumi
from pulumi_gcp._utilities import get_version


class BucketObject(pulumi.CustomResource):
    """`gcp:storage:BucketObject` under the type and plugin version that the official SDK gives it.

    The SDK's class makes an output of each of its thirty properties; a stack of fifty models has
    two hundred objects, whose outputs nobody reads, and its preview took half a second longer.
    """

    def __init__(
        self,
        name: str,
        bucket: pulumi.Input[str],
        path: str,
        source: pulumi.Asset,
        metadata: dict[str, str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        props = {
            "bucket": bucket,
            "name": path,
            "source": source,
            "contentType": "application/octet-stream",
            "metadata": metadata,
        }
        versioned = pulumi.ResourceOptions(version=get_version())
        merged = pulumi.ResourceOptions.merge(opts, versioned)
        super().__init__("gcp:storage/bucketObject:BucketObject", name, props, merged)
