"""The files of a volume, replaced all at once, laid out as the kubelet's AtomicWriter does it.

    ..2026_11_26_09_30_00.k3x/release.json    the files
    ..data -> ..2026_11_26_09_30_00.k3x
    release.json -> ..data/release.json       each entry of the volume

An update writes a new folder and then renames a new `..data` over the old one. So a program never
sees a part of an update, and one that watches a folder waits for a change of `..data`.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["File", "replace"]

File = tuple[bytes, int]
"""Content and mode."""
_DATA = "..data"


def replace(folder: Path, files: Mapping[str, File]) -> None:
    """Make these the volume's files, by their paths in it. Raises OSError."""
    current = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S."), dir=folder))
    current.chmod(0o755)
    for name, (content, mode) in files.items():
        path = current / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    link = folder / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(current.name)
    link.replace(folder / _DATA)
    _show(folder, {PurePath(name).parts[0] for name in files}, current.name)


def _show(folder: Path, entries: set[str], current: str) -> None:
    """Make the links of these entries, and remove those and the folders of before."""
    for name in entries:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"{_DATA}/{name}")
    for path in folder.iterdir():
        if path.is_symlink() and path.name not in {*entries, _DATA}:
            path.unlink()
        elif path.name.startswith("..") and path.name not in (current, _DATA):
            shutil.rmtree(path)
