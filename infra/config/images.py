"""The default images: those that the release workflow has published for this version."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Resolved, since benchmark and tests run the program from folders that link to this one.
ROOT = Path(__file__).resolve().parents[2]
# Names without a registry: the default before a version is published.
UNPUBLISHED = "kserve-triton"


def version(root: Path = ROOT) -> str:
    """The project's version."""
    found = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return str(found)


def default_image(name: str, root: Path = ROOT) -> str:
    """The published image by its digest; `kserve-triton/NAME:VERSION` if there is none."""
    number = version(root)
    published = json.loads((root / "images.lock.json").read_text()).get(number, {})
    return str(published.get(name, f"{UNPUBLISHED}/{name}:{number}"))


def unpublished(images: Iterable[str]) -> list[str]:
    """Those of the images that are defaults of a version that was never published."""
    number = version()
    return sorted(
        {each for each in images if each.startswith(f"{UNPUBLISHED}/") and each.endswith(number)}
    )
