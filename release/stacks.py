"""What the stacks' files say about releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from release.schema import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

# Its name, in Pulumi.yaml.
PROJECT = "kserve-triton"
# The type of a model's component, in states and previews.
SERVED_MODEL = f"{PROJECT}:index:ServedModel"


@dataclass(frozen=True)
class StackReleases:
    """(model, digest) of each `release` and `canary.release` of a stack, and its `promotion`.

    The digest of a model without `release` is None.
    """

    releases: tuple[tuple[str, str | None], ...]
    requires: str | None
    override: str | None


def find(root: Path, stack: str) -> StackReleases:
    """Read the file of a stack, in the folder of these files.

    Raises ReleaseError if there is none, or it can't be read, or has no models.
    """
    path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        names = [each.name.removeprefix("Pulumi.").removesuffix(".yaml") for each in _files(root)]
        raise ReleaseError(
            f"--stack: found {stack}, which has no {path.name} in {root}; allowed: "
            f"{', '.join(names) or 'none yet'}; to add one: pulumi stack init {stack}"
        )
    found = read(path)
    if not found.releases:
        how = "missing; allowed: at least one, such as {digits: {}}"
        raise ReleaseError(f"{path.name}: {PROJECT}:models: {how}")
    return found


def read(path: Path) -> StackReleases:
    """Read a stack's file. Raises ReleaseError, which names it."""
    try:
        config = (yaml.safe_load(path.read_text()) or {}).get("config") or {}
        models = _section(config, "models").items()
        promotion = _section(config, "promotion")
        requires, override = (_text(promotion.get(key)) for key in ("requires", "override"))
    except (OSError, ValueError, yaml.YAMLError, AttributeError) as error:
        raise ReleaseError(f"{path.name} can't be read: {error}") from error
    releases = [(str(name), digest) for name, model in models for digest in _digests(model)]
    return StackReleases(tuple(releases), requires, override)


def named_releases(root: Path) -> list[tuple[str, str]]:
    """(model, digest) of every `release` and `canary.release` in the files of a folder's stacks.

    Raises ReleaseError for a file that can't be read.
    """
    files = [read(path) for path in _files(root)]
    return [(name, digest) for file in files for name, digest in file.releases if digest]


def _files(root: Path) -> list[Path]:
    return sorted(root.glob("Pulumi.*.yaml"))


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    """An object of the stack's; `pulumi config set NAME '{…}'` keeps it as a text of JSON."""
    value = config.get(f"{PROJECT}:{name}") or {}
    found: dict[str, Any] = yaml.safe_load(value) if isinstance(value, str) else value
    return found


def _digests(model: Any) -> list[str | None]:
    """The model's release, and its canary's if it has one."""
    settings: dict[str, Any] = model if isinstance(model, dict) else {}
    canary = settings.get("canary")
    sections = [settings, canary] if isinstance(canary, dict) else [settings]
    return [_text(section.get("release")) for section in sections]


def _text(value: Any) -> str | None:
    """Pulumi writes a digest or a name that looks like a number without quotes."""
    return str(value) if value else None
