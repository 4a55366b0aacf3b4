"""The node's bridge, and a network namespace with an address of its own for each pod."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyroute2 import IPRoute

from local.node.sandbox import linux, nftables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.node.sandbox.messages import Service

__all__ = ["Network", "Pod"]

_LOOPBACK = 1
# With an address of its own. Without, a bridge takes its lowest port's, and drops what is in flight
# when that port goes.
_BRIDGE = {"kind": "bridge", "ifname": "pods", "address": "02:00:0a:f4:00:01"}
# A port of the gateway where nothing listens.
_CLOSED_PORT = 9


@dataclass
class Pod:
    """A pod's namespaces, kept alive by these descriptors."""

    cable: str
    net: int
    ipc: int
    uts: int

    def enter(self) -> None:
        """Move this process in, for good."""
        linux.setns(self.net, linux.CLONE_NEWNET)
        linux.setns(self.ipc, linux.CLONE_NEWIPC)
        linux.setns(self.uts, linux.CLONE_NEWUTS)

    def close(self) -> None:
        for descriptor in (self.net, self.ipc, self.uts):
            os.close(descriptor)


class Network:
    """The network of one node. Its methods move this process between namespaces, and back."""

    def __init__(self, gateway: str, bits: int) -> None:
        """Make the bridge. Raises OSError or NetlinkError where the kernel can't."""
        self._gateway, self._bits = gateway, bits
        self._home = Pod("", *_own_namespaces())
        self._pods: dict[str, Pod] = {}
        self._services: tuple[Service, ...] = ()
        self._rules = self._encode()
        _disable_ipv6()
        self._links = IPRoute()
        self._links.link("set", index=_LOOPBACK, state="up")
        self._links.link("add", **_BRIDGE)
        self._bridge = socket.if_nametoindex(_BRIDGE["ifname"])
        self._links.addr("add", index=self._bridge, address=gateway, prefixlen=bits)
        self._links.link("set", index=self._bridge, state="up")
        nftables.install(self._rules)

    def pod(self, uid: str) -> Pod:
        return self._pods[uid]

    def add(self, uid: str, hostname: str, address: str) -> Pod:
        """Make a pod's namespaces, and connect them with the bridge."""
        linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        try:
            socket.sethostname(hostname[:63])
            pod = Pod(f"pod{address.rpartition('.')[2]}", *_own_namespaces())
        finally:
            self._home.enter()
        self._delete(pod.cable)
        mac = "02:00:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(address))
        peer = {"ifname": "eth0", "address": mac, "net_ns_fd": pod.net}
        cable = {"kind": "veth", "ifname": pod.cable, "peer": peer}
        self._links.link("add", **cable, master=self._bridge, state="up")
        with self._inside(pod):
            self._connect(address)
        self._pods[uid] = pod
        return pod

    def _connect(self, address: str) -> None:
        """Set up the network of the pod that this process is in."""
        _disable_ipv6()
        with IPRoute() as links:
            links.link("set", index=_LOOPBACK, state="up")
            own = socket.if_nametoindex("eth0")
            links.addr("add", index=own, address=address, prefixlen=self._bits)
            links.link("set", index=own, state="up")
            links.route("add", dst="default", gateway=self._gateway)
        nftables.install(self._rules)

    def remove(self, uid: str) -> None:
        """Take a pod off the bridge; its namespaces go with its last process."""
        pod = self._pods.pop(uid, None)
        if pod is not None:
            self._delete(pod.cable)
            pod.close()

    def _delete(self, name: str) -> None:
        with contextlib.suppress(OSError):  # There is none.
            self._links.link("del", index=socket.if_nametoindex(name))

    def set_services(self, services: tuple[Service, ...]) -> None:
        """Replace the targets of all connections to Services."""
        if services == self._services:
            return
        self._services = services
        self._rules = self._encode()
        for pod in self._pods.values():
            with self._inside(pod):
                nftables.install(self._rules)

    def _encode(self) -> bytes:
        return nftables.encode(self._services, (self._gateway, _CLOSED_PORT))

    def listen(self, address: str, port: int, uid: str | None = None) -> socket.socket:
        """A socket that listens in a pod, or on the node itself."""
        if uid is not None:
            with self._inside(self._pods[uid]):
                return socket.create_server((address, port), backlog=128)
        self._links.addr("replace", index=_LOOPBACK, address=address, prefixlen=32)
        return socket.create_server((address, port), backlog=128)

    def connector(self, uid: str | None) -> socket.socket:
        """A TCP socket of a pod's network, or of the node's."""
        with self._inside(self._pods[uid]) if uid else contextlib.nullcontext():
            return socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    @contextlib.contextmanager
    def _inside(self, pod: Pod) -> Iterator[None]:
        linux.setns(pod.net, linux.CLONE_NEWNET)
        try:
            yield
        finally:
            linux.setns(self._home.net, linux.CLONE_NEWNET)


def _own_namespaces() -> list[int]:
    """Descriptors of the network, IPC and UTS namespaces of this process."""
    return [
        os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        for name in ("net", "ipc", "uts")
    ]


def _disable_ipv6() -> None:
    """In this network namespace, where nothing has such an address."""
    for scope in ("all", "default"):
        # The kernel has no IPv6, or /proc/sys is read-only.
        with contextlib.suppress(OSError):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
