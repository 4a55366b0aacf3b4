"""A container's file system: the machine's own, read-only, with the pod's volumes mounted.

The root is an empty file system, in which every entry of `/` is mounted. A directory without a
mount point for a volume is replaced in the same way, entry by entry. So volumes are at the paths of
the pod's spec, and nothing is written to the machine's directories.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from local.node.sandbox import linux

__all__ = ["Mount", "enter"]

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_BIND = linux.MS_BIND | linux.MS_REC
_SAFE = linux.MS_NOSUID | linux.MS_NODEV
# Each container has its own, empty except for mounts.
_PRIVATE = tuple(map(Path, ("/proc", "/dev", "/tmp", "/run")))
_LINKS = 40


@dataclass(frozen=True)
class Mount:
    """A directory or file of the machine at a path of the container; "" is an empty directory."""

    target: str
    source: str
    read_only: bool = False


def enter(base: str, mounts: list[Mount]) -> None:
    """Build the root at `base`, an empty directory, and make it the root of this process.

    The process must have its own mount namespace, and be the first of its PID namespace. Parents
    must come first in `mounts`. Raises OSError, also if the root can't be made read-only.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    mirror = _Mirror(Path(base))
    mounted: list[tuple[Path, Mount]] = []
    for mount in mounts:
        target = _resolved(Path(mount.target))
        if not any(before in target.parents for before, _ in mounted):
            mirror.place(target, not mount.source or Path(mount.source).is_dir())
        mounted.append((target, mount))
    linux.make_read_only(base)
    linux.mount("proc", f"{base}/proc", "proc", _SAFE | linux.MS_NOEXEC)
    terminals = "newinstance,ptmxmode=0666,mode=0620"
    linux.mount("devpts", f"{base}/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, terminals)
    for target, mount in mounted:
        _attach(f"{base}{target}", mount)
    linux.pivot_root(base)


def _resolved(path: Path, links: int = 0) -> Path:
    """A path with the machine's symbolic links resolved."""
    if links > _LINKS:
        raise OSError(f"too many symbolic links: {path}")
    made = Path("/")
    parts = Path(os.path.normpath(path)).parts[1:]
    for place, part in enumerate(parts):
        made /= part
        if made in _PRIVATE:
            return made.joinpath(*parts[place + 1 :])
        if made.is_symlink():
            there = made.parent / made.readlink()
            return _resolved(there.joinpath(*parts[place + 1 :]), links + 1)
    return made


class _Mirror:
    """The new root while it is built."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._ours = {Path("/"), *_PRIVATE}
        linux.mount("root", str(base), "tmpfs", _SAFE, "mode=755,size=16m")
        # Else it would be mounted into itself, with the directory that contains it.
        linux.mount("none", str(base), flags=linux.MS_UNBINDABLE)
        for path in _PRIVATE:
            self._at(path).mkdir()
        for path in Path("/").iterdir():
            if path not in _PRIVATE:
                self._bind(path)
        self._add_devices()

    def place(self, path: Path, directory: bool) -> None:
        """Make a mount point at a path without symbolic links, if it is missing."""
        if os.path.lexists(self._at(path)):
            return
        self.place(path.parent, True)
        if path.parent not in self._ours:
            self._mirror(path.parent)
        if directory:
            self._at(path).mkdir()
            self._ours.add(path)
        else:
            self._at(path).touch()

    def _at(self, path: Path) -> Path:
        return self._base / path.relative_to("/")

    def _bind(self, path: Path) -> None:
        target = self._at(path)
        # Some entries can't be read even by their owner.
        with contextlib.suppress(OSError):
            if path.is_symlink():
                target.symlink_to(path.readlink())
                return
            target.mkdir() if path.is_dir() else target.touch()
            linux.mount(str(path), str(target), flags=_BIND)

    def _mirror(self, directory: Path) -> None:
        """Replace a mounted directory by one in which entries can be made."""
        linux.mount("mirror", str(self._at(directory)), "tmpfs", _SAFE, "mode=755,size=16m")
        self._ours.add(directory)
        for path in directory.iterdir():
            self._bind(path)

    def _add_devices(self) -> None:
        devices = self._base / "dev"
        linux.mount("dev", str(devices), "tmpfs", _SAFE, "mode=755,size=1m")
        for name in (*_DEVICES, *(path.name for path in Path("/dev").glob("nvidia*"))):
            self._bind(Path("/dev", name))
        (devices / "pts").mkdir()
        (devices / "ptmx").symlink_to("pts/ptmx")
        for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
            (devices / name).symlink_to(f"/proc/self/fd{target}")


def _attach(target: str, mount: Mount) -> None:
    if not mount.source:
        # Kubernetes' size of /dev/shm. A container's other folders are as large as its disk.
        size = ",size=64m" if mount.target == "/dev/shm" else ""
        linux.mount("empty", target, "tmpfs", _SAFE, f"mode=755{size}")
        return
    if not os.path.lexists(target):  # A mount point within another volume.
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        source = Path(mount.source)
        Path(target).mkdir() if source.is_dir() else Path(target).touch()
    linux.mount(mount.source, target, flags=_BIND)
    if mount.read_only:
        linux.make_read_only(target)
