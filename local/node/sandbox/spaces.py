"""The node's namespaces: made, and tried before anything is installed.

Only the standard library, and no syntax newer than Python 3.8's: see local/machine.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from local.node.sandbox import linux

__all__ = ["enter", "main", "mount_own", "remedy", "trial"]

_ROOT = Path(__file__).resolve().parents[3]

_SPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
)
_SWITCHES = {
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "user.max_user_namespaces": ("0", "15000"),
}


def enter() -> None:
    """Move this process into new namespaces; its children are in the new PID namespace.

    An ordinary user needs a user namespace for that, in which they are root. Raises OSError.
    """
    if os.geteuid() == 0:
        try:
            linux.unshare(_SPACES)
            return
        except PermissionError:  # Root without capabilities, as in many containers.
            pass
    user, group = os.geteuid(), os.getegid()
    linux.unshare(_SPACES | linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def mount_own() -> None:
    """Separate the mounts of a child's namespaces from the machine's. Raises OSError."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)


def remedy() -> str:
    """How to allow namespaces, by this machine's settings."""
    for name, (forbidding, allowing) in _SWITCHES.items():
        if _read(Path("/proc/sys", *name.split("."))) == forbidding:
            setting = f"{name}={allowing}"
            return (
                f"allow them until the next boot: sudo sysctl -w {setting}; and after it: "
                f"echo {setting} | sudo tee /etc/sysctl.d/99-kserve-triton.conf"
            )
    return "run as root, or allow them in this machine's or this container's settings"


def _read(setting: Path) -> str:
    try:
        return setting.read_text().strip()
    except OSError:  # This kernel has no such setting, or lets only root read it.
        return ""


def trial() -> str:
    """Make namespaces as the node does, in another process; the reason why it fails, or nothing."""
    tried = subprocess.run(
        [sys.executable, "-m", __name__], stdout=subprocess.PIPE, text=True, check=False, cwd=_ROOT
    )
    return tried.stdout.strip() or ("the process that tried was ended" if tried.returncode else "")


def main() -> None:
    """Try, in a process that does nothing else, and print the reason why it fails."""
    try:
        enter()
        child = os.fork()
        if child == 0:
            mount_own()
            linux.make_read_only("/")
        elif os.waitpid(child, 0)[1]:
            raise OSError("their first process was ended")
    except OSError as error:
        print(error)


if __name__ == "__main__":
    main()
