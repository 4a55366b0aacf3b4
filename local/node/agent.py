"""The agent as a whole: pods of the API on one side, processes on the other."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.node.addresses import GATEWAY, Addresses
from local.node.api import Api, ApiError, Informer
from local.node.forwarding import Forwarder
from local.node.host import Host
from local.node.images import PROJECT, known
from local.node.logs import Log, LogServer
from local.node.node import NodeObject, capacity
from local.node.pod import Pod
from local.node.reporting import Events, Statuses, say
from local.node.sandbox.client import Sandbox, SandboxError
from local.node.services import Services

if TYPE_CHECKING:
    from pathlib import Path

    from local.node.api import Object

__all__ = ["Agent", "Options"]

_KUBERNETES_SERVICE = ("10.96.0.1", 443)
_LOOK = 1.0
_LOG_LIMIT = 50_000_000
_LAST_GRACE = 4.0


@dataclass(frozen=True)
class Options:
    """As given on the command line."""

    kubeconfig: Path
    name: str
    root: Path
    certificates: Path
    storage_emulator: str | None
    test_images: bool


class Agent:
    """Runs until `stop`."""

    def __init__(self, options: Options) -> None:
        self._api = Api(options.kubeconfig)
        options.root.mkdir(parents=True, exist_ok=True)
        (PROJECT / ".local" / "triton").mkdir(parents=True, exist_ok=True)
        self._pods: dict[str, Pod] = {}
        self._lock = threading.Lock()
        # Its life ends with this thread's, which must be the process's own.
        self.sandbox = Sandbox(GATEWAY)
        forwarder = Forwarder()
        server = urlsplit(self._api.server)
        place = (server.hostname or "127.0.0.1", server.port or 443)
        forwarder.serve(
            self.sandbox.listen(*_KUBERNETES_SERVICE), lambda: socket.create_connection(place, 5)
        )
        has = capacity(options.root)
        self._host = Host(
            name=options.name,
            root=options.root,
            api=self._api,
            sandbox=self.sandbox,
            forwarder=forwarder,
            services=Services(self._api, self.sandbox, forwarder, options.root),
            statuses=Statuses(self._api),
            events=Events(self._api, options.name),
            images=known(options.test_images),
            capacity=has,
            storage_emulator=options.storage_emulator,
            addresses=Addresses(),
        )
        logs = LogServer(self._log, options.certificates)
        self._node = NodeObject(self._api, options.name, has, logs.port)

    def start(self) -> None:
        """Raises ApiError."""
        self._node.register()
        if not self._host.services.synced(30):
            raise ApiError(0, "the API server doesn't list Services")
        self._remove_leftovers()
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._host.name}"
        Informer(self._api, path, self._changed)
        threading.Thread(target=self._watch_usage, name="usage", daemon=True).start()
        say(f"node {self._host.name} runs pods; rules in the kernel: {self.sandbox.has_rules}")

    def stop(self) -> None:
        """End all containers, the gentle way first. What the API says of the pods stays."""
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
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._host.name}"
        alive = {pod["metadata"]["uid"] for pod in self._api.get(path)["items"]}
        for folder in (self._host.root / "pods").glob("*"):
            if folder.name.rpartition("_")[2] not in alive:
                shutil.rmtree(folder, ignore_errors=True)

    def _changed(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            known = self._pods.get(uid)
            if known is None and kind != "DELETED":
                self._pods[uid] = Pod(self._host, pod, self._forget)
            elif known is not None and kind == "DELETED":
                known.delete()
            elif known is not None:
                known.update(pod)

    def _forget(self, uid: str) -> None:
        with self._lock:
            self._pods.pop(uid, None)

    def _log(self, namespace: str, name: str, container: str) -> Log | None:
        with self._lock:
            pods = [pod for pod in self._pods.values() if pod.title == f"{namespace}/{name}"]
        found = [each for pod in pods[-1:] for each in pod.containers if each.name == container]
        return Log(found[0].log, lambda: bool(found[0].key)) if found else None

    def _watch_usage(self) -> None:
        """Memory limits and endless logs, as far as that goes from outside."""
        while not self._host.stopping.wait(_LOOK):
            with self._lock:
                pods = list(self._pods.values())
            try:
                used = self.sandbox.usage()
            except SandboxError:
                return
            for pod in pods:
                for key, limit in pod.running().items():
                    if used.get(key, 0) > limit:
                        pod.kill(key, "OOMKilled")
                for container in pod.containers:
                    _shorten(container.log)


def _shorten(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LOG_LIMIT:
            shutil.copyfile(log, log.with_name(f"{log.stem}.previous.log"))
            with log.open("r+b") as file:
                file.truncate(0)
