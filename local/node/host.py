"""What the pods of a node share."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.node.addresses import Addresses, Cores

if TYPE_CHECKING:
    from pathlib import Path

    from local.node.api import Api, Object
    from local.node.forwarding import Forwarder
    from local.node.images import Image
    from local.node.reporting import Events, Statuses
    from local.node.sandbox.client import Sandbox
    from local.node.services import Services

__all__ = ["Host"]


@dataclass
class Host:
    """The node's means, as its pods use them."""

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
    storage_emulator: str | None
    addresses: Addresses
    cores: Cores = field(default_factory=Cores)
    probes: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(16, thread_name_prefix="probe")
    )
    stopping: threading.Event = field(default_factory=threading.Event)

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
