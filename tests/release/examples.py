"""Releases of `digits` that differ in one figure: `make build/test/models.lock.json` first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from release import files
from release.lock import Entry, Lock

if TYPE_CHECKING:
    from release.schema import Release

RELEASE_JSON = Path(__file__).parents[2] / "build" / "test" / "build" / "digits" / "release.json"
DIGITS = files.read(RELEASE_JSON)


def releases(count: int) -> list[Release]:
    return [replace(DIGITS, accuracy=number / 100) for number in range(count)]


def lock(*pinned: Release) -> Lock:
    return Lock(models={"digits": tuple(Entry.of(release, {}) for release in pinned)})
