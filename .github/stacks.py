"""Which stacks a change touches: its paths on stdin, a JSON list of stacks on stdout.

Images are not here: stacks name them by digest, so a change to one reaches a stack through the
stack's own file.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

# Needs no cloud, so there is nothing to preview.
LOCAL = "local"
# What every stack is made by and judged by; the deploy workflow is started by the same paths.
EVERY_STACK = (
    "Pulumi.yaml",
    "__main__.py",
    "infra/**",
    "model/files.py",
    "model/signature.py",
    "models.lock.json",
    "policy/**",
    "requirements/policy.*",
    "requirements/program.*",
    "templates/**",
)
_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9._-]+)\.yaml")


def touched(paths: Iterable[str], stacks: Collection[str]) -> list[str]:
    """Those of `stacks` whose next update could differ after a change to these paths."""
    found: set[str] = set()
    for path in paths:
        if any(_matches(path, pattern) for pattern in EVERY_STACK):
            return sorted(stacks)
        own = _FILE.fullmatch(path)
        if own and own["stack"] in stacks:
            found.add(own["stack"])
    return sorted(found)


def cloud_stacks(root: Path) -> list[str]:
    """Every stack with a file in this folder, but for the one of a single machine."""
    names = (_FILE.fullmatch(path.name) for path in root.glob("Pulumi.*.yaml"))
    return sorted(name["stack"] for name in names if name and name["stack"] != LOCAL)


def _matches(path: str, pattern: str) -> bool:
    """Patterns as GitHub's path filters take them, of which three forms are used here."""
    if pattern.endswith("/**"):
        return path.startswith(pattern.removesuffix("**"))
    if pattern.endswith("*"):
        return path.startswith(pattern.removesuffix("*"))
    return path == pattern


if __name__ == "__main__":
    changed = [line.strip() for line in sys.stdin]
    print(json.dumps(touched(changed, cloud_stacks(Path.cwd()))))
