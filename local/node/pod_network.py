"""A pod's part of the node's network: address, names, ways to storage and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.node import metadata
from local.node.metadata import MetadataServer
from local.node.sandbox.client import SandboxError
from local.node.tokens import Tokens

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host

__all__ = ["PodNetwork", "spared_ports"]

# By names, as Knative and KServe tell the protocol of a port.
_HTTP2_NAMES = ("h2c", "http2", "grpc")
# HTTP/1 and HTTP/2. The activator has the same.
_QUEUE_PROXY = (8012, 8013)


class PodNetwork:
    """The network of one pod; `hosts` is the hosts file of its containers."""

    def __init__(self, host: Host, uid: str, hosts: Path) -> None:
        self._host, self._uid, self.hosts = host, uid, hosts
        self.address = ""
        self._forwards: list[int] = []
        self._spared: list[int] = []

    def join(self, pod: Object, in_memory: list[str]) -> None:
        """Connect the pod. Raises SandboxError, and RuntimeError if no address is free."""
        about, spec = pod["metadata"], pod["spec"]
        name = spec.get("hostname") or about["name"]
        address = self._host.addresses.take()
        served = [self._host.storage_address, metadata.ADDRESS]
        try:
            listeners = self._host.sandbox.add(self._uid, name, address, served, in_memory)
        except SandboxError:
            self._host.addresses.release(address)
            raise
        self.address = address
        self._spared = spared_ports(pod)
        server = MetadataServer(Tokens(self._host.api, pod))
        self._forwards = [
            self._host.forward_to_storage(listeners[0]),
            self._host.forwarder.serve(listeners[1], server.connect),
        ]
        self.add_address(pod)
        own = f"127.0.0.1 localhost\n{address} {name}"
        self._host.services.add_pod(self._uid, self.hosts, about["namespace"], own)

    def add_address(self, pod: Object) -> None:
        """Set the address in the pod's status, where `fieldRef` reads it."""
        if self.address:
            own = {"podIP": self.address, "podIPs": [{"ip": self.address}]}
            pod.setdefault("status", {}).update({**own, "hostIP": "127.0.0.1"})

    def drain(self) -> None:
        """Stop new connections and reset idle ones."""
        if self.address:
            self._host.services.drain(self.address)
            self.reset_idle()

    def reset_idle(self) -> None:
        """Reset the idle connections to the pod's servers.

        Those of HTTP/2 are left: its servers tell clients that they shut down, and whether a
        request is under way can't be seen from outside. Those of Knative's queue-proxy are left
        too: it serves until the ingress has closed them, and a reset may meet the next request.
        """
        self._host.sandbox.drain(self._uid, self._spared)

    def leave(self) -> None:
        if self.address:
            self._host.sandbox.remove(self._uid)
            self._host.services.remove_pod(self._uid, self.address)
            self._host.addresses.release(self.address)
        for number in self._forwards:
            self._host.forwarder.stop(number)


def spared_ports(pod: Object) -> list[int]:
    """The ports of a pod's containers whose servers end connections without losing requests."""
    return [
        port["containerPort"]
        for container in (*pod["spec"].get("initContainers", []), *pod["spec"]["containers"])
        for port in container.get("ports", [])
        if port.get("name", "").startswith(_HTTP2_NAMES) or port["containerPort"] in _QUEUE_PROXY
    ]
