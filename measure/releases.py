"""Releases to measure, built as users build them, as Triton loads them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from local.layout import ROOT
from release import files

if TYPE_CHECKING:
    from pathlib import Path

    from infra.config import ModelSettings
    from release.schema import Format

__all__ = ["BuildError", "artefact", "build", "write_repository"]

COMPILE = ROOT / "jobs" / "compile" / "compile.py"


class BuildError(RuntimeError):
    """A release could not be built or compiled; the message is the command's."""


def build(model: str, format: Format, out: Path) -> Path:
    """Build a model's release in a format; return its folder, OUT/MODEL. Raises BuildError."""
    _run("-m", "model", "build", model, "--format", format, "--out", str(out))
    return out / model


def artefact(folder: Path, settings: ModelSettings) -> Artefact:
    """The release of a folder with its rendered config. Raises ReleaseError or RenderError."""
    release = files.read(folder / files.RELEASE_JSON)
    text = release.to_json().decode()
    return Artefact(release, release.digest, text, folder, config_pbtxt(release, settings))


def write_repository(artefact: Artefact, folder: Path) -> None:
    """Write a model repository as the bucket has it; what a Job would compile is compiled here.

    Raises BuildError.
    """
    artefact.write(folder)
    if artefact.compiled:
        (folder / artefact.model).parent.mkdir(exist_ok=True)
        program = artefact.folder / artefact.release.model_file
        _run(str(COMPILE), str(program), str(folder / artefact.model))


def _run(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        text = (done.stderr or done.stdout).strip()[-2000:]
        raise BuildError(f"python {' '.join(arguments)}: {text}")
