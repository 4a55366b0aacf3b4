"""A release that isn't on disk yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from release.schema import Release

__all__ = ["Built"]


@dataclass(frozen=True)
class Built:
    """A release and the content of its other files, by their path under build/NAME."""

    release: Release
    files: dict[str, bytes]
