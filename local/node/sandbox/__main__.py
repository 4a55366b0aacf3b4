"""Makes the node's namespaces and serves in them: `python -m local.node.sandbox SOCKET GATEWAY`.

An ordinary user needs a user namespace for that, in which they are root. The first process forks
once, since only its children are in the new PID namespace.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from pyroute2.netlink.exceptions import NetlinkError

from local.node.sandbox import linux
from local.node.sandbox.network import Network
from local.node.sandbox.server import Server, fail

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


def _unshare() -> None:
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


def _remedy() -> str:
    """How to allow namespaces, by this machine's settings."""
    for name, (forbidding, allowing) in _SWITCHES.items():
        setting = Path("/proc/sys", *name.split("."))
        if setting.exists() and setting.read_text().strip() == forbidding:
            return f"allow them with: sudo sysctl -w {name}={allowing}"
    return "run as root, or allow them in this machine's or this container's settings"


def _become_node(control: socket.socket, gateway: str) -> None:
    linux.die_with_parent(signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    except OSError as error:
        fail(control, f"the node's namespaces can't be set up here: {error}; {_remedy()}")
    try:
        network = Network(gateway, 24)
    except (OSError, NetlinkError) as error:
        needs = "it needs bridges, veth pairs and nftables with NAT in the kernel"
        fail(control, f"the node's network can't be set up here: {error}; {needs}")
    Server(control, network).serve()


def main() -> None:
    parent = os.getppid()
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        _unshare()
    except OSError as error:
        fail(control, f"this user may not make namespaces ({error.strerror}); {_remedy()}")
    linux.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the agent has ended")
    child = os.fork()
    if child == 0:
        _become_node(control, sys.argv[2])
        return
    control.close()
    _, status = os.waitpid(child, 0)
    sys.exit(0 if status == 0 else 1)


if __name__ == "__main__":
    main()
