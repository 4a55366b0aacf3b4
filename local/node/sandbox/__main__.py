"""Makes the node's namespaces and serves in them: `python -m local.node.sandbox SOCKET GATEWAY`.

The first process forks once, since only its children are in the new PID namespace.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from pyroute2.netlink.exceptions import NetlinkError

from local.node.sandbox import linux, spaces
from local.node.sandbox.network import Network
from local.node.sandbox.server import Server, fail


def _become_node(control: socket.socket, gateway: str) -> None:
    linux.die_with_parent(signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        spaces.mount_own()
    except OSError as error:
        fail(control, f"the node's namespaces can't be set up here: {error}; {spaces.remedy()}")
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
        spaces.enter()
    except OSError as error:
        fail(control, f"this user may not make namespaces ({error.strerror}); {spaces.remedy()}")
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
