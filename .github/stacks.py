"""The stacks that a change affects: its paths on stdin, a JSON list of stacks on stdout.

The images' sources are not among the paths: stacks name images by digest, so that a changed image
reaches a stack through the stack's file or images.lock.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Need no cloud; there is nothing to preview.
LOCAL = ("local", "knative")
# Paths that affect every stack. The workflows that deploy have the same list.
EVERY_STACK = (
    "Pulumi.yaml",
    "__main__.py",
    "images.lock.json",
    "infra/**",
    "models.lock.json",
    "policy/**",
    "release/**",
    "requirements/policy.*",
    "requirements/program.*",
    "templates/**",
)
_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9._-]+)\.yaml")


def affected(paths: Iterable[str], stacks: Collection[str]) -> list[str]:
    """Stacks whose next update may differ after a change to these paths."""
    found: set[str] = set()
    for path in paths:
        if any(_matches(path, pattern) for pattern in EVERY_STACK):
            return sorted(stacks)
        own = _FILE.fullmatch(path)
        if own and own["stack"] in stacks:
            found.add(own["stack"])
    return sorted(found)


def cloud_stacks(root: Path) -> list[str]:
    """Every stack with a file in this folder, except the local ones."""
    names = (_FILE.fullmatch(path.name) for path in root.glob("Pulumi.*.yaml"))
    return sorted(name["stack"] for name in names if name and name["stack"] not in LOCAL)


def _matches(path: str, pattern: str) -> bool:
    """GitHub's path filters, in the three forms that are used here."""
    if pattern.endswith("/**"):
        return path.startswith(pattern.removesuffix("**"))
    if pattern.endswith("*"):
        return path.startswith(pattern.removesuffix("*"))
    return path == pattern


if __name__ == "__main__":
    changed = [line.strip() for line in sys.stdin]
    print(json.dumps(affected(changed, cloud_stacks(Path.cwd()))))
