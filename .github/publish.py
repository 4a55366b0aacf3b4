"""Version, notes and images of a release, for the release workflow.

publish.py version        the version in pyproject.toml; fails unless CHANGELOG.md has its section
publish.py notes          that section
publish.py lock BUILT     writes images.lock.json; BUILT is a JSON object, image name to reference
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

IMAGES = ("transformer", "jobs")
_REFERENCE = re.compile(r"[a-z0-9./_-]+@sha256:[0-9a-f]{64}")


def version(root: Path) -> str:
    """The project's version."""
    found = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return str(found)


def notes(root: Path) -> str:
    """The version's section of the changelog; exits if there is none, or an empty one."""
    sections = re.split(r"^## (.+)\n", (root / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    found = dict(zip(sections[1::2], sections[2::2], strict=True))
    number = version(root)
    for heading, text in found.items():
        if heading.split(",")[0] == number and text.strip():
            return text.strip() + "\n"
    sys.exit(f"CHANGELOG.md has no section '## {number}, DATE': rename 'Unreleased' to it")


def lock(root: Path, built: str) -> None:
    """Write the images that this version was published with."""
    images = {name: json.loads(built)[name] for name in IMAGES}
    if wrong := [image for image in images.values() if not _REFERENCE.fullmatch(image)]:
        sys.exit(f"not an image by its digest: {', '.join(wrong)}")
    text = json.dumps({version(root): images}, indent=2)
    (root / "images.lock.json").write_text(f"{text}\n")


def main(arguments: list[str], root: Path) -> None:
    """Run one of the commands above."""
    match arguments:
        case ["version"]:
            notes(root)
            print(version(root))
        case ["notes"]:
            print(notes(root), end="")
        case ["lock", built]:
            lock(root, built)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:], Path.cwd())
