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

__all__ = ["PodNetwork"]


class PodNetwork:
    """The network of one pod; `hosts` is the hosts file of its containers."""

    def __init__(self, host: Host, uid: str, hosts: Path) -> None:
        self._host, self._uid, self.hosts = host, uid, hosts
        self.address = ""
        self._forwards: list[int] = []

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
        """Stop new connections."""
        if self.address:
            self._host.services.drain(self.address)

    def leave(self) -> None:
        if self.address:
            self._host.sandbox.remove(self._uid)
            self._host.services.remove_pod(self._uid, self.address)
            self._host.addresses.release(self.address)
        for number in self._forwards:
            self._host.forwarder.stop(number)
