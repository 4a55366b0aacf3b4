"""Releases to measure, built as users build them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from local.layout import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Format

__all__ = ["BuildError", "build"]


class BuildError(RuntimeError):
    """A release could not be built; the message is the command's."""


def build(model: str, format: Format, out: Path) -> Path:
    """Build a model's release in a format; return its folder, OUT/MODEL. Raises BuildError."""
    command = [sys.executable, "-m", "model", "build", model, "--format", format, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{model} in {format}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return out / model
