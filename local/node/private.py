"""Folders of the machine that containers don't see, and those in them that they need.

Hidden are home folders, the keys and data of the local cluster, and the repository's history, whose
settings may contain a token. Containers run programs of the project's environments, so these, the
built programs and the interpreters stay visible, read-only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from local.layout import ROOT
from local.node.sandbox.root import Mount
from local.toolchain import cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["add", "hidden", "installations", "needed"]

# Each container has its own, as from an image.
_EMPTY = (Path("/tmp"), Path("/run"))


def add(mounts: Iterable[Mount], state: Path) -> list[Mount]:
    """The mounts, and those that hide folders; parents first. `state` is the cluster's folder."""
    made = {mount.target: mount for mount in mounts}
    covered = hidden()
    shown = [path for path in needed() if _is_in(path, covered)]
    secret = [state, ROOT / ".local", ROOT / ".git"]
    secret = [path for path in secret if not _is_in(path, covered) or _is_in(path, shown)]
    empty = {str(path): Mount(str(path), "") for path in (*covered, *secret) if path.is_dir()}
    seen = {str(path): Mount(str(path), str(path), True) for path in shown}
    every = empty | seen | made
    return sorted(every.values(), key=lambda mount: len(Path(mount.target).parts))


def hidden() -> list[Path]:
    """Temporary folders and homes: everybody's, root's and this user's."""
    homes = {Path("/home").resolve(), Path("/root").resolve(), _home()} - {Path("/")}
    outer = {*_EMPTY, *(path for path in homes if path.is_dir())}
    return sorted(path for path in outer if not _is_in(path, outer))


def needed() -> list[Path]:
    """The folders of the programs that containers run: no home but that of the project."""
    environments = list(ROOT.glob(".venv*"))
    pythons = [Path(sys.executable), *(path / "bin" / "python" for path in environments)]
    found = {cache(), *(path for each in pythons for path in installations(each))}
    found |= {path for path in environments if path.is_symlink()}
    return sorted({path.resolve() for path in found if path.exists()} - {_home()} | {ROOT})


def _home() -> Path:
    return Path(os.environ.get("HOME", "/root")).resolve()


def installations(python: Path) -> Iterator[Path]:
    """The folders of the installations that the links of an environment's `bin/python` lead to."""
    while python.is_symlink():
        python = Path(os.path.normpath(python.parent / python.readlink()))
        folder = python.parent.parent
        # An installation may itself have a second name, a link beside it.
        yield folder.parent if folder.is_symlink() else folder


def _is_in(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder in path.parents for folder in folders)
