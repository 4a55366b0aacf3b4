"""The objects that all pods of a node share."""

from __future__ import annotations

import base64
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.api import ApiError
from local.node.addresses import Addresses, Cores
from local.node.reporting import log

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Api, Object
    from local.node.forwarding import Forwarder
    from local.node.images import Image
    from local.node.reporting import Events, Statuses
    from local.node.sandbox.client import Sandbox
    from local.node.services import Services

__all__ = ["Host"]


@dataclass
class Host:
    """The node's own objects, shared by its pods."""

    name: str
    root: Path
    api: Api
    sandbox: Sandbox
    forwarder: Forwarder
    services: Services
    statuses: Statuses
    events: Events
    images: dict[str, Image]
    capacity: Object
    storage: str
    addresses: Addresses
    cores: Cores = field(default_factory=Cores)
    probes: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="probe")
    )
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def storage_address(self) -> tuple[str, int]:
        """Address and port of the storage, on the machine's loopback and on each pod's.

        Both are the same, since its answers contain them.
        """
        url = urlsplit(self.storage)
        assert url.hostname and url.port
        return url.hostname, url.port

    def forward_to_storage(self, listener: socket.socket) -> int:
        """Forward a pod's connections to the storage."""
        address = self.storage_address
        return self.forwarder.serve(listener, lambda: socket.create_connection(address, 5))

    def remove_folder(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def confirm_deletion(self, about: Object) -> None:
        """Delete a pod's object for good, since nothing of it runs any more."""
        path = f"/api/v1/namespaces/{about['namespace']}/pods/{about['name']}"
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": about["uid"]}}
        while not self.stopping.is_set():
            try:
                self.api.request("DELETE", path, {"kind": "DeleteOptions", **options})
            except ApiError as error:
                if error.status in (404, 409):
                    return
                log(f"{about['namespace']}/{about['name']}: {error}")
                time.sleep(1)
            else:
                return

    def look_up(self, namespace: str, kind: str, name: str) -> dict[str, bytes] | None:
        """A ConfigMap's or Secret's data; None where there is none. Raises ApiError."""
        found = self.api.find(f"/api/v1/namespaces/{namespace}/{kind}s/{name}")
        if found is None:
            return None
        if kind == "secret":
            return {key: base64.b64decode(text) for key, text in found.get("data", {}).items()}
        binary = found.get("binaryData", {})
        return {key: text.encode() for key, text in found.get("data", {}).items()} | {
            key: base64.b64decode(text) for key, text in binary.items()
        }
