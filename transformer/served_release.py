"""The release that the transformer serves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from release import files
from release.schema import ReleaseError, short

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Release
    from transformer.settings import Settings

__all__ = ["load"]


def load(settings: Settings) -> Release:
    """Read the release, and compare its handler's files. Raises ReleaseError."""
    release = files.read(settings.release)
    if release.name != settings.model:
        raise ReleaseError(
            f"{settings.release}: a release of model {release.name!r}, --model_name is "
            f"{settings.model!r}"
        )
    if release.handler is None:
        if settings.handler:
            raise ReleaseError(f"HANDLER {settings.handler}: the release has no handler; unset it")
        return release
    if settings.handler is None:
        raise ReleaseError("the release has a handler; set HANDLER to the folder of its handler.py")
    for name, file in release.handler.files.items():
        _check(settings.handler / name, file.sha256)
    return release


def _check(path: Path, wanted: str) -> None:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ReleaseError(f"{path}: {error.strerror}; it is a file of the handler") from error
    if found != wanted:
        raise ReleaseError(
            f"{path}: SHA-256 {short(found)}, its release.json has {short(wanted)}: it was changed"
        )
