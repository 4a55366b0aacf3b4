"""The agent as a whole: runs the pods that the API server has bound to its node."""

from __future__ import annotations

import contextlib
import functools
import shutil
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.api import Api, ApiError
from local.layout import ROOT, SERVICE_ADDRESS
from local.node.addresses import GATEWAY, Addresses
from local.node.forwarding import Forwarder
from local.node.host import Host
from local.node.informer import Informer
from local.node.node import NodeObject, capacity
from local.node.pod import Pod
from local.node.reporting import Events, Statuses, log
from local.node.sandbox.client import Sandbox, SandboxError
from local.node.services import Services
from local.node.streams import StreamServer

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Object
    from local.layout import Layout
    from local.node.images import Image

__all__ = ["Agent"]

_LOOK = 1.0
_LOG_LIMIT = 50_000_000
_LAST_GRACE = 4.0


class Agent:
    """The node agent."""

    def __init__(self, layout: Layout, name: str, images: dict[str, Image]) -> None:
        """Raises SandboxError where this machine doesn't allow a node."""
        self._api = Api(layout, timeout=20.0)
        root = layout.node
        root.mkdir(parents=True, exist_ok=True)
        (ROOT / ".local" / "triton").mkdir(parents=True, exist_ok=True)
        self._pods_path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}"
        self._pods: dict[str, Pod] = {}
        self._lock = threading.Lock()
        # It ends with the thread that starts it, so that must be the main thread.
        self.sandbox = Sandbox(GATEWAY)
        forwarder = Forwarder()
        server = urlsplit(self._api.server)
        place = (server.hostname or "127.0.0.1", server.port or 443)
        forwarder.serve(
            self.sandbox.listen(SERVICE_ADDRESS, 443), lambda: socket.create_connection(place, 5)
        )
        has = capacity(root)
        self._host = Host(
            name=name,
            root=root,
            api=self._api,
            sandbox=self.sandbox,
            forwarder=forwarder,
            services=Services(self._api, self.sandbox, forwarder, root),
            statuses=Statuses(self._api),
            events=Events(self._api, name),
            images=images,
            capacity=has,
            storage=layout.storage(),
            addresses=Addresses(),
        )
        streams = StreamServer(self.sandbox, self._find, layout.certificates)
        self._node = NodeObject(self._api, name, has, streams.port)

    def start(self) -> None:
        """Register the node and run its pods. Raises ApiError."""
        self._node.register()
        if not self._host.services.synced(30):
            raise ApiError(0, "the API server doesn't list Services")
        self._remove_leftovers()
        Informer(self._api, self._pods_path, self._changed)
        for kind in ("configmap", "secret"):
            Informer(self._api, f"/api/v1/{kind}s", functools.partial(self._note_change, kind))
        threading.Thread(target=self._watch_usage, name="usage", daemon=True).start()
        log(f"node {self._host.name} runs pods")

    def stop(self) -> None:
        """End all containers, with SIGTERM first. The pods' statuses stay as they are."""
        self._host.stopping.set()
        self._node.stop()
        with self._lock:
            containers = [each for pod in self._pods.values() for each in pod.containers]
        for container in containers:
            container.signal(15)
        until = time.monotonic() + _LAST_GRACE
        while time.monotonic() < until and any(each.key for each in containers):
            time.sleep(0.05)
        self.sandbox.stop()

    def _remove_leftovers(self) -> None:
        alive = {pod["metadata"]["uid"] for pod in self._api.get(self._pods_path)["items"]}
        for folder in (self._host.root / "pods").glob("*"):
            if folder.name.rpartition("_")[2] not in alive:
                shutil.rmtree(folder, ignore_errors=True)

    def _changed(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            running = self._pods.get(uid)
            if running is None and kind != "DELETED":
                self._pods[uid] = Pod(self._host, pod, self._forget)
            elif running is not None and kind == "DELETED":
                running.delete()
            elif running is not None:
                running.update(pod)

    def _note_change(self, kind: str, _event: str, found: Object) -> None:
        with self._lock:
            pods = list(self._pods.values())
        for pod in pods:
            pod.note_change(found["metadata"]["namespace"], kind, found["metadata"]["name"])

    def _forget(self, uid: str) -> None:
        with self._lock:
            self._pods.pop(uid, None)

    def _find(self, title: str) -> Pod | None:
        """The newest pod NAMESPACE/NAME."""
        with self._lock:
            pods = [pod for pod in self._pods.values() if pod.title == title]
        return pods[-1] if pods else None

    def _watch_usage(self) -> None:
        """Enforce memory limits, and shorten long logs, once a second."""
        while not self._host.stopping.wait(_LOOK):
            with self._lock:
                pods = list(self._pods.values())
            try:
                used = self.sandbox.usage()
            except SandboxError:
                return
            for pod in pods:
                for container in pod.containers:
                    if container.memory and used.get(container.key, 0) > container.memory:
                        pod.kill(container.key, "OOMKilled")
                    _shorten(container.log)


def _shorten(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT:
            shutil.copyfile(log, log.with_name(f"{log.stem}.previous.log"))
            with log.open("r+b") as file:
                file.truncate(0)
