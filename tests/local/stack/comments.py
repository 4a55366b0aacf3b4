"""The pull request's comment of a real preview."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from local.layout import ROOT

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

__all__ = ["comment"]

_LOCK = ROOT / "build" / "test" / "models.lock.json"


def comment(stack: Stack) -> str:
    """What a reviewer reads of the stack's file as it is now."""
    preview = stack.folder / "preview.json"
    preview.write_text(stack.run("preview", "--json").stdout)
    words = ["--preview", str(preview), "--stack", stack.name]
    return subprocess.run(
        [
            *(ROOT / ".venv" / "bin" / "python", "-m", "review", *words),
            *("--lock", _LOCK, "--base-lock", _LOCK),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
