"""System calls for which Python 3.11 has no function."""

from __future__ import annotations

import ctypes
import os
import struct

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_UNBINDABLE",
    "die_with_parent",
    "drop_capabilities",
    "make_read_only",
    "mount",
    "pivot_root",
    "setns",
    "unmount",
    "unshare",
]

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_UNBINDABLE, MS_PRIVATE = 4096, 16384, 1 << 17, 1 << 18

_MNT_DETACH = 2
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
# The same number on every architecture.
_SYS_MOUNT_SETATTR = 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 23, 24, 38
_LAST_CAPABILITY = 63
# The default of container runtimes, but for MKNOD, since no cgroup limits the devices here: CHOWN,
# DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW,
# SYS_CHROOT, AUDIT_WRITE, SETFCAP.
_KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Move this process into new namespaces, by their CLONE_ flags."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace behind a descriptor; `kind` is its CLONE_ flag."""
    _check(_libc.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    texts = (source.encode(), target.encode(), kind.encode() or None)
    made = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode() or None)
    _check(made, f"mount {source} on {target}")


def unmount(path: str) -> None:
    """Unmount as soon as the mount is not in use. A path without a mount is no error."""
    _libc.umount2(path.encode(), _MNT_DETACH)


def make_read_only(path: str) -> None:
    """Make a mount and those under it read-only. Raises OSError, as before Linux 5.12."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    call = (_SYS_MOUNT_SETATTR, -100, path.encode(), _AT_RECURSIVE, attributes, len(attributes))
    _check(_libc.syscall(*call), f"make {path} read-only, which needs Linux 5.12 or newer")


def pivot_root(path: str) -> None:
    """Make a mount the root, and unmount the old root."""
    os.chdir(path)
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root: unknown machine {os.uname().machine}")
    _check(_libc.syscall(number, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount the old root")
    os.chdir("/")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this signal when the thread that forked this process ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Limit the capabilities of the next program to a container's. Raises OSError."""
    for number in range(_LAST_CAPABILITY + 1):
        # Of a capability that the kernel doesn't know it can't be read.
        if number not in _KEPT and _libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            _check(_libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), f"drop capability {number}")
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
