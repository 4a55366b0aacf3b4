"""Services: keeps rules, hosts files and the machine's addresses as the API's objects are."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

from local.api import ApiError
from local.layout import write_atomically
from local.node import hosts
from local.node.informer import Informer
from local.node.reporting import log
from local.node.routing import addresses, by_service, host_lines, routes
from local.node.sandbox.client import SandboxError

if TYPE_CHECKING:
    from pathlib import Path

    from local.api import Api, Object
    from local.node.forwarding import Forwarder
    from local.node.routing import Key
    from local.node.sandbox.client import Sandbox
    from local.node.sandbox.messages import Service

__all__ = ["Services", "connect"]

_SETTLE = 0.01


class Services:
    """Keeps the kernel's rules, the pods' hosts files and the machine's addresses current."""

    def __init__(self, api: Api, sandbox: Sandbox, forwarder: Forwarder, root: Path) -> None:
        self._sandbox, self._forwarder, self._root = sandbox, forwarder, root
        self._hosts: dict[str, tuple[Path, str, str]] = {}
        self._draining: set[str] = set()
        self._routes: dict[Key, list[tuple[str, Service]]] = {}
        self._served: dict[tuple[str, str, int], tuple[int, int]] = {}
        self._kept = root / "ports.json"
        # Also those of deleted Services: one that is made anew gets its address again.
        self._ports: dict[str, int] = (
            json.loads(self._kept.read_text()) if self._kept.exists() else {}
        )
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        discovery = "/apis/discovery.k8s.io/v1/endpointslices"
        self._services = Informer(api, "/api/v1/services", self._changed)
        self._slices = Informer(api, discovery, self._changed)
        threading.Thread(target=self._run, name="services", daemon=True).start()

    def synced(self, seconds: float) -> bool:
        """Wait until they are listed; False after that many seconds."""
        return self._services.synced.wait(seconds) and self._slices.synced.wait(seconds)

    def add_pod(self, uid: str, path: Path, namespace: str, own: str) -> None:
        """Keep a pod's hosts file current; `own` are the lines of the pod itself."""
        path.touch()
        with self._lock:
            self._hosts[uid] = (path, namespace, own)
        self.refresh()

    def remove_pod(self, uid: str, address: str) -> None:
        with self._lock:
            self._hosts.pop(uid, None)
            self._draining.discard(address)

    def drain(self, address: str) -> None:
        """Stop new connections to a pod."""
        with self._lock:
            self._draining.add(address)
        self.refresh()

    def _changed(self, _kind: str, _each: Object) -> None:
        self._dirty.set()

    def _run(self) -> None:
        self.synced(60)
        while True:
            self._dirty.wait()
            time.sleep(_SETTLE)  # Changes come in groups.
            self._dirty.clear()
            try:
                self.refresh()
            except (SandboxError, OSError, ApiError) as error:
                log(f"services: {error}")
                time.sleep(1)
                self._dirty.set()

    def refresh(self) -> None:
        """Apply the current Services and endpoints."""
        with self._lock:
            services = list(self._services.objects.values())
            slices = by_service(list(self._slices.objects.values()))
            self._routes = routes(services, slices, self._draining)
            flat = [service for ports in self._routes.values() for _, service in ports]
            self._sandbox.set_services(flat)
            found = addresses(services, slices, self._draining)
            for path, namespace, own in self._hosts.values():
                # A pod whose folder was deleted must not stop the others.
                with contextlib.suppress(FileNotFoundError):
                    hosts.update(path, [*own.splitlines(), *host_lines(found, namespace)])
            self._serve_host()

    def _serve_host(self) -> None:
        """Listen on loopback for each port of each Service, at the same port as ever before."""
        wanted = {
            (*key, service.port): name
            for key, ports in self._routes.items()
            for name, service in ports
            if service.protocol == "TCP"
        }
        if wanted.keys() == self._served.keys():
            return
        for key in self._served.keys() - wanted.keys():
            self._forwarder.stop(self._served.pop(key)[0])
        for key in wanted.keys() - self._served.keys():
            title = f"{key[0]}/{key[1]}:{key[2]}"
            self._served[key] = self._listen(key, self._ports.get(title, 0))
            self._ports[title] = self._served[key][1]
        book: dict[str, dict[str, str]] = {}
        for namespace, name, port in sorted(wanted):
            number = self._served[namespace, name, port][1]
            book.setdefault(f"{namespace}/{name}", {})[str(port)] = f"127.0.0.1:{number}"
        write_atomically(self._kept, json.dumps(self._ports, indent=2) + "\n")
        text = json.dumps(book, indent=2) + "\n"
        write_atomically(self._root / "services.json", text, 0o644)

    def _listen(self, key: tuple[str, str, int], port: int) -> tuple[int, int]:
        try:
            listener = socket.create_server(("127.0.0.1", port), backlog=128)
        except OSError:  # The port is in use.
            listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        number = listener.getsockname()[1]
        return self._forwarder.serve(listener, lambda: self._connect(key)), number

    def _connect(self, key: tuple[str, str, int]) -> socket.socket:
        """A connection to the next ready pod behind a Service. Raises OSError."""
        ports = self._routes.get(key[:2], [])
        targets = next((s.targets for _, s in ports if s.port == key[2]), ())
        if not targets:
            raise ConnectionRefusedError("no pod of the Service is ready")
        turn = next(self._turns) % len(targets)
        refused: OSError | None = None
        for target in targets[turn:] + targets[:turn]:
            try:
                return connect(self._sandbox, target, 5)
            except OSError as error:  # It has just ended; try the next.
                refused = error
        raise refused or ConnectionRefusedError()


def connect(sandbox: Sandbox, address: tuple[str, int], seconds: float) -> socket.socket:
    """A connection from the node to a pod. Raises OSError."""
    try:
        made = sandbox.connector()
    except SandboxError as error:
        raise OSError(str(error)) from error
    made.settimeout(seconds)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
