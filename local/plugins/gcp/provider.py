"""The gcp provider: its configuration and its types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.plugins.gcp.bucket import Bucket
from local.plugins.gcp.bucket_object import BucketObject
from local.plugins.gcp.iam import BucketIamMember
from local.plugins.gcp.storage import Storage, require_emulator
from local.plugins.provider import Provider

if TYPE_CHECKING:
    from local.plugins.resource import Values


class GcpProvider(Provider):
    """Buckets and what is in them, on the storage emulator."""

    name = "gcp"
    # The SDK's version, as the engine compares; what follows the plus tells it apart.
    version = "10.2.0+kserve-triton"
    configuration = frozenset({"project", "disableGlobalProjectWarning"})
    notice = (
        "gcp: this project's own plugin is in use, on the storage emulator; it knows buckets, "
        "their objects and their IAM members"
    )

    def __init__(self, engine_address: str = "") -> None:
        super().__init__(engine_address)
        storage = Storage()
        self.bucket = Bucket(storage)
        self.resources = {
            "gcp:storage/bucket:Bucket": self.bucket,
            "gcp:storage/bucketObject:BucketObject": BucketObject(storage),
            "gcp:storage/bucketIAMMember:BucketIAMMember": BucketIamMember(storage),
        }

    def configure(self, settings: Values) -> None:
        require_emulator()
        self.bucket.project = settings.get("project", self.bucket.project)
