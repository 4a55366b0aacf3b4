"""The releases that the stacks' files name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from release.schema import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path


def named_releases(root: Path) -> list[tuple[str, str]]:
    """(model, digest) of every `release` and `canary.release` in the files of a folder's stacks.

    Raises ReleaseError for a file that can't be read.
    """
    named = []
    for path in sorted(root.glob("Pulumi.*.yaml")):
        try:
            config = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
            models = (config.get("kserve-triton:models") or {}).items()
        except (yaml.YAMLError, AttributeError) as error:
            raise ReleaseError(f"{path.name} can't be read: {error}") from error
        for name, model in models:
            named += [(name, digest) for digest in _digests(model)]
    return named


def _digests(model: Any) -> list[str]:
    settings: dict[str, Any] = model if isinstance(model, dict) else {}
    canary = settings.get("canary")
    sections = [settings, canary] if isinstance(canary, dict) else [settings]
    return [str(section["release"]) for section in sections if section.get("release")]
