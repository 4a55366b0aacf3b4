"""Commands that messages recommend, where they depend on the release."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from release.schema import Format

# Format -> option of `python -m model import` for a file of it.
IMPORT_OPTIONS: dict[Format, str] = {
    "torchscript": "--torchscript",
    "onnx": "--onnx",
    "aoti": "--pt2",
}


def build_command(name: str, format: Format, provenance: Mapping[str, str]) -> str:
    """The command that made a release: a build, or the import of a file.

    An import's provenance has the file's name and SHA-256, a build's has other keys.
    """
    if provenance.keys() != {"file", "sha256"}:
        return f"python -m model build {name}"
    option = f"{IMPORT_OPTIONS[format]} {provenance['file']}"
    return f"python -m model import {name} {option} --samples FILE.npz"
