"""Which releases a bucket keeps: the last few of each model, and whatever a stack may go back to.

A version in the bucket is a release with its rendered config; versions of one release stay or go
together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from release import lock
from release.schema import ReleaseError
from release.store import Place, bucket

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

MODELS = "models/"
# Written by the program on each config.pbtxt, since the version alone does not say.
METADATA = "release"


@dataclass(frozen=True, order=True)
class Version:
    """`models/NAME/VERSION/` in a bucket: when it came, and which release it is of."""

    created: datetime
    name: str
    version: str
    release: str

    @property
    def prefix(self) -> str:
        """Of all its objects."""
        return f"{MODELS}{self.name}/{self.version}/"


def superfluous(versions: Iterable[Version], pinned: set[str], keep: int) -> list[Version]:
    """What may go, oldest first: neither pinned nor of the last `keep` releases of its model.

    A release is as new as its newest version.
    """
    last: dict[str, list[str]] = {}
    newest_first = sorted(versions, reverse=True)
    for each in newest_first:
        kept = last.setdefault(each.name, [])
        if each.release not in kept:
            kept.append(each.release)
    return [
        each
        for each in reversed(newest_first)
        if each.release not in pinned and each.release not in last[each.name][:keep]
    ]


def pinned(root: Path, models: dict[str, lock.Entry]) -> set[str]:
    """Digests that the lock names as current, or a stack's file as its release or canary."""
    found = {entry["digest"] for entry in models.values()}
    for name, wanted in stack_pins(root):
        found.add(lock.find(models, name, wanted)["digest"])
    return found


def stack_pins(root: Path) -> list[tuple[str, str]]:
    """(model, digest) of every `release` and `canary.release` in the stacks' files."""
    pins = []
    for path in sorted(root.glob("Pulumi.*.yaml")):
        try:
            config = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
        except (yaml.YAMLError, AttributeError) as error:
            raise ReleaseError(f"{path.name} can't be read: {error}") from error
        for name, model in (config.get("kserve-triton:models") or {}).items():
            pins += [(name, wanted) for wanted in _wanted(model)]
    return pins


def _wanted(model: Any) -> list[str]:
    own: dict[str, Any] = model if isinstance(model, dict) else {}
    canary = own.get("canary")
    named = [own, canary] if isinstance(canary, dict) else [own]
    return [str(each["release"]) for each in named if each.get("release")]


def stored(url: str) -> list[Version]:
    """Every version in a stack's bucket; raises ReleaseError where one does not say its release."""
    place = Place.parse(url)
    versions = []
    for blob in bucket(place.bucket).list_blobs(prefix=MODELS):
        parts = blob.name.split("/")
        if len(parts) != 5 or parts[4] != "config.pbtxt":
            continue
        release = (blob.metadata or {}).get(METADATA)
        if not release:
            raise ReleaseError(
                f"gs://{place.bucket}/{blob.name} doesn't say which release it is; bring its stack "
                "up to date first: pulumi up"
            )
        versions.append(Version(blob.time_created, parts[1], parts[2], release))
    return versions


def remove(url: str, version: Version) -> int:
    """Delete a version, config.pbtxt last, so that a removal cut short is found again."""
    there: Any = bucket(Place.parse(url).bucket)
    blobs = sorted(there.list_blobs(prefix=version.prefix), key=lambda b: b.name.endswith("pbtxt"))
    for blob in blobs:
        blob.delete()
    return len(blobs)
