"""Which releases a stack's bucket keeps: the last few of each model, and those that are pinned.

A version in the bucket is a release with its rendered config. All versions of a release are kept
or removed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.api_core.exceptions import GoogleAPIError

from release.files import MODELS
from release.lock import served
from release.schema import ReleaseError
from release.store import Location, open_bucket

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from release.lock import Lock

# The program writes the release's digest into this metadata of each config.pbtxt.
METADATA = "release"


@dataclass(frozen=True, order=True)
class Version:
    """`models/NAME/VERSION/` in a bucket: when it was created, and its release's digest."""

    created: datetime
    name: str
    version: str
    release: str

    @property
    def prefix(self) -> str:
        """The prefix of all its objects."""
        return f"{MODELS}{self.name}/{self.version}/"


def removable(versions: Iterable[Version], pinned: set[str], keep: int) -> list[Version]:
    """Versions to remove, oldest first: not pinned, nor of the last `keep` releases of the model.

    A release is as new as its newest version.
    """
    last: dict[str, list[str]] = {}
    newest_first = sorted(versions, reverse=True)
    for version in newest_first:
        releases = last.setdefault(version.name, [])
        if version.release not in releases:
            releases.append(version.release)
    return [
        version
        for version in reversed(newest_first)
        if version.release not in pinned and version.release not in last[version.name][:keep]
    ]


def pinned_digests(root: Path, lock: Lock) -> set[str]:
    """Digests of the releases that stacks serve by default, and of those that they name.

    Raises ReleaseError where a stack names one that the lock does not have.
    """
    return {digest for _, digest in served(lock, root)}


def list_versions(url: str) -> list[Version]:
    """Every version in a stack's bucket; raises ReleaseError for one without its digest."""
    bucket = open_bucket(Location.parse(url).bucket)
    versions = []
    for blob in bucket.list_blobs(prefix=MODELS):
        parts = blob.name.split("/")
        if len(parts) != 5 or parts[4] != "config.pbtxt":
            continue
        release = (blob.metadata or {}).get(METADATA)
        if not release:
            raise ReleaseError(
                f"gs://{bucket.name}/{blob.name} has no metadata {METADATA!r}; bring its stack up "
                "to date first: pulumi up"
            )
        versions.append(Version(blob.time_created, parts[1], parts[2], release))
    return versions


def remove(url: str, version: Version) -> int:
    """Delete a version's objects; returns their number. Raises ReleaseError where it can't.

    config.pbtxt is the last, so that a removal that was interrupted is found again.
    """
    bucket = open_bucket(Location.parse(url).bucket)
    blobs = list(bucket.list_blobs(prefix=version.prefix))
    for blob in sorted(blobs, key=lambda blob: blob.name.endswith("pbtxt")):
        try:
            blob.delete()
        except GoogleAPIError as error:
            raise ReleaseError(
                f"gs://{bucket.name}/{blob.name} can't be deleted: {error}; it takes "
                "storage.objects.delete, which roles/storage.objectUser on the bucket has; the "
                "same command goes on with what is left"
            ) from error
    return len(blobs)
