"""The node's bridge, and a network namespace with an address of its own for each pod."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.node.sandbox import links, linux, nftables, sockets

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Network", "Pod"]

_BRIDGE, _BRIDGE_MAC = "pods", "02:00:0a:f4:00:01"
# A port on the gateway at which nobody listens.
_CLOSED_PORT = 9


@dataclass
class Pod:
    """A pod's namespaces, kept alive by these descriptors."""

    cable: str
    net: int
    ipc: int
    uts: int
    listeners: list[socket.socket] = field(default_factory=list)

    def enter(self) -> None:
        """Move this process in, for good."""
        linux.setns(self.net, linux.CLONE_NEWNET)
        linux.setns(self.ipc, linux.CLONE_NEWIPC)
        linux.setns(self.uts, linux.CLONE_NEWUTS)

    def close(self) -> None:
        for descriptor in (self.net, self.ipc, self.uts):
            os.close(descriptor)


def _own(name: str) -> int:
    return os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)


class Network:
    """Of one node. Its methods move this process between namespaces, and back."""

    def __init__(self, gateway: str, bits: int) -> None:
        self._gateway, self._bits = gateway, bits
        self._home = {name: _own(name) for name in ("net", "ipc", "uts")}
        self._pods: dict[str, Pod] = {}
        self._services: tuple[nftables.Service, ...] = ()
        links.silence_ipv6()
        links.set_up("lo")
        links.add_bridge(_BRIDGE, _BRIDGE_MAC)
        links.add_address(_BRIDGE, gateway, bits)
        links.set_up(_BRIDGE)
        self.has_rules = self._apply()

    def pod(self, uid: str) -> Pod:
        return self._pods[uid]

    def add(self, uid: str, hostname: str, address: str) -> Pod:
        """A pod's namespaces, connected."""
        linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS)
        try:
            socket.sethostname(hostname[:63])
            cable = f"pod{int(address.rsplit('.', 1)[1])}"
            pod = Pod(cable, _own("net"), _own("ipc"), _own("uts"))
            links.silence_ipv6()
            links.set_up("lo")
        finally:
            self._return()
        links.delete(cable)
        mac = "02:00:" + ":".join(f"{byte:02x}" for byte in socket.inet_aton(address))
        links.add_cable(cable, _BRIDGE, "eth0", pod.net, mac)
        with self._inside(pod):
            links.add_address("eth0", address, self._bits)
            links.set_up("eth0")
            links.route_default(self._gateway)
            if self.has_rules:
                self._apply()
        self._pods[uid] = pod
        return pod

    def remove(self, uid: str) -> None:
        """Take a pod off the bridge; its namespaces go with its last process."""
        pod = self._pods.pop(uid, None)
        if pod is not None:
            links.delete(pod.cable)
            pod.close()

    def set_services(self, services: tuple[nftables.Service, ...]) -> None:
        """Where connections to Services go from now on."""
        if services == self._services:
            return
        self._services = services
        for pod in self._pods.values():
            with self._inside(pod):
                self._apply()

    def listen(self, address: str, port: int, uid: str | None = None) -> socket.socket:
        """A socket that listens in a pod, or on the node itself."""
        if uid is not None:
            with self._inside(self._pods[uid]):
                return socket.create_server((address, port), backlog=128)
        links.add_address("lo", address, 32)
        return socket.create_server((address, port), backlog=128)

    def close_idle(self, uid: str) -> int:
        """End a pod's idle connections; how many others there are."""
        with self._inside(self._pods[uid]):
            return sockets.close_idle()

    def _apply(self) -> bool:
        """Whether this kernel lets us; without, connections to Services must be forwarded."""
        try:
            nftables.replace(self._services, (self._gateway, _CLOSED_PORT))
        except OSError:
            return False
        return True

    @contextmanager
    def _inside(self, pod: Pod) -> Iterator[None]:
        linux.setns(pod.net, linux.CLONE_NEWNET)
        try:
            yield
        finally:
            linux.setns(self._home["net"], linux.CLONE_NEWNET)

    def _return(self) -> None:
        linux.setns(self._home["net"], linux.CLONE_NEWNET)
        linux.setns(self._home["ipc"], linux.CLONE_NEWIPC)
        linux.setns(self._home["uts"], linux.CLONE_NEWUTS)
