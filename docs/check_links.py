"""Every relative link of the Markdown files leads to a file that is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def dead_links(root: Path) -> list[str]:
    """`file: link` for each that leads nowhere."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [
        f"{name}: {link}"
        for name in listed
        for link in LINK.findall((root / name).read_text())
        if not ((root / name).parent / link).exists()
    ]


if __name__ == "__main__":
    dead = dead_links(ROOT)
    sys.exit("\n".join(["dead links:", *dead]) if dead else 0)
