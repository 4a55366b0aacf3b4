"""The life of one pod on the node, in a thread of its own."""

from __future__ import annotations

import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from local.api import ApiError, condition_status
from local.node.containers import Containers
from local.node.pod_network import PodNetwork
from local.node.probing import Probing
from local.node.reporting import log
from local.node.sandbox.client import SandboxError
from local.node.starting import start
from local.node.variables import ConfigError
from local.node.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Object
    from local.node.container import Container
    from local.node.host import Host
    from local.node.sandbox.client import Exit

__all__ = ["Pod"]

_AGAIN = 2.0
_IDLE = 30.0
_DEFAULT_GRACE = 30
# Clients that keep a connection open would delay the shutdown of a server.
_DRAIN_EVERY = 0.25


class Pod:
    """One thread does everything for it, when messages arrive or time passes."""

    def __init__(self, host: Host, pod: Object, ended: Callable[[str], None]) -> None:
        self.host, self.object, self._ended = host, pod, ended
        about = pod["metadata"]
        self.uid: str = about["uid"]
        self.title = f"{about['namespace']}/{about['name']}"
        self._folder = host.root / "pods" / f"{about['namespace']}_{about['name']}_{self.uid}"
        self._network = PodNetwork(host, self.uid, self._folder / "hosts")
        self._volumes = Volumes(host, pod, self._folder / "volumes")
        self.containers = Containers(host, pod, self._folder)
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._set_up_at = 0.0
        self._reported: Object = {}
        self._overridden = False
        self._stop_at: float | None = None
        self._deleted = False
        self.probing = Probing(host, self._inbox.put)
        threading.Thread(target=self._run, name=self.title, daemon=True).start()

    def update(self, pod: Object) -> None:
        """Take the newest version of the object."""
        self._inbox.put(("update", pod))

    def delete(self) -> None:
        """The object was deleted."""
        self._inbox.put(("deleted",))

    def note_change(self, namespace: str, kind: str, name: str) -> None:
        """A `configmap` or `secret` has changed; a volume may have its data."""
        if namespace == self.object["metadata"]["namespace"] and self._volumes.note(kind, name):
            self._inbox.put(("changed",))

    def kill(self, key: str, cause: str) -> None:
        """End the container that runs under this key."""
        self._inbox.put(("kill", key, cause))

    def _run(self) -> None:
        try:
            if "deletionTimestamp" not in self.object["metadata"]:
                self.containers.resume(self.object.get("status", {}))
                self._live()
            self._tear_down()
        except Exception as error:  # It must not end the agent.
            log(f"{self.title}: {type(error).__name__}: {error}")
            raise
        finally:
            self._ended(self.uid)

    def _live(self) -> None:
        while not self._is_done():
            self._advance()
            self._report()
            if self._is_done():
                return
            try:
                message = self._inbox.get(timeout=self._wait_seconds())
            except queue.Empty:
                continue
            self._take(message)
            while not self._inbox.empty():
                self._take(self._inbox.get())

    def _is_done(self) -> bool:
        return self._stop_at is not None and not self.containers.running

    def _take(self, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        if self.host.stopping.is_set():
            # The next agent runs the pods again, so their statuses stay.
            if kind == "exit" and (container := self.containers.find(rest[0])):
                container.key = ""
            return
        if kind == "update":
            self._overridden |= self._is_overridden(rest[0])
            self.object = rest[0]
            self._network.add_address(self.object)  # The API server may not have it yet.
        elif kind == "exit":
            self._on_exit(*rest)
        elif kind == "probe":
            self._on_probe(*rest)
        elif kind == "kill":
            if container := self.containers.find(rest[0]):
                container.kill(rest[1])
        elif kind == "deleted":
            self._deleted = True
        if self._stop_at is None and (self._deleted or self._is_deleting()):
            self._begin_stop()

    def _is_overridden(self, pod: Object) -> bool:
        """Whether the node controller set a ready pod unready, after a silence of the node."""
        was_ready = condition_status({"status": self._reported}, "Ready") == "True"
        return was_ready and condition_status(pod, "Ready") == "False"

    def _is_deleting(self) -> bool:
        return "deletionTimestamp" in self.object["metadata"]

    def _on_exit(self, key: str, result: Exit) -> None:
        if container := self.containers.find(key):
            container.ended(*result)
            state = container.status.state.get("waiting", {})
            if state.get("reason") == "CrashLoopBackOff":
                self._event("BackOff", state["message"], container, bad=True)

    def _on_probe(self, key: str, kind: str, success: bool, message: str) -> None:
        container = self.containers.find(key)
        if container is None:
            return
        verdict = self.probing.note(container, kind, success)
        if not success:
            self._event("Unhealthy", f"{kind} failed: {message}", container, bad=True)
        if verdict is None:
            return
        was_ready = container.status.ready
        if kind == "readinessProbe":
            container.status.ready = verdict and container.status.started
            if was_ready and not verdict:
                self.host.sandbox.drain(self.uid)
        elif not verdict:
            self._end(container, "Error", f"{kind} failed, will be restarted")
        elif kind == "startupProbe":
            container.status.started = True
            container.update_ready()

    def _advance(self) -> None:
        """Start or end what is due."""
        if self.host.stopping.is_set():
            return
        if self._stop_at is not None:
            self._continue_stop()
        elif self.containers.over:
            for container in self.containers.sidecars:
                container.status.policy = "Never"
                self._end(container, "Error", "Stopping container")
        elif self._network.address or self._set_up():
            for container in self.containers.due():
                start(
                    self.host,
                    self.object,
                    container,
                    self._volumes,
                    self._network.hosts,
                    lambda key, result: self._inbox.put(("exit", key, result)),
                )
            self._volumes.update(self.object)

    def _end(self, container: Container, cause: str, why: str) -> None:
        """Send SIGTERM, and SIGKILL after the grace period."""
        self._event("Killing", why, container)
        container.signal(signal.SIGTERM)
        threading.Timer(self._grace(), self.kill, (container.key, cause)).start()

    def _set_up(self) -> bool:
        """Make network and volumes. False: it failed, and is tried again later."""
        if time.monotonic() < self._set_up_at:
            return False
        try:
            self._volumes.prepare()
            self._network.join(self.object, self._volumes.in_memory)
        except (ApiError, ConfigError, SandboxError, OSError, RuntimeError) as error:
            log(f"{self.title}: {error}")
            self.host.events.add(self.object, "FailedMount", str(error), bad=True)
            for container in self.containers:
                container.wait("ContainerCreating", str(error))
            self._set_up_at = time.monotonic() + _AGAIN
            return False
        return True

    def _begin_stop(self) -> None:
        """Stop new connections, then send SIGTERM. SIGKILL follows after the grace period."""
        grace = 2.0 if self._deleted else self._grace()
        self._stop_at = time.monotonic() + grace
        self.probing.stop()
        self._network.drain()
        for container in self.containers.running:
            self._event("Killing", "Stopping container", container)
            self.probing.pre_stop(container, self._stop_at)
            container.signal(signal.SIGTERM)

    def _grace(self) -> float:
        about, spec = self.object["metadata"], self.object["spec"]
        fallback = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        return float(about.get("deletionGracePeriodSeconds", fallback))

    def _continue_stop(self) -> None:
        assert self._stop_at is not None
        self.host.sandbox.drain(self.uid)
        if time.monotonic() >= self._stop_at:
            for container in self.containers:
                container.signal(signal.SIGKILL)

    def _wait_seconds(self) -> float:
        if self._stop_at is not None:
            return _DRAIN_EVERY
        if not self._network.address:
            return max(self._set_up_at - time.monotonic(), 0.05)
        moments = [
            c.start_at for c in self.containers if not c.key and not c.status.ended and c.start_at
        ]
        for container in self.containers.running:
            moments.append(self.probing.next_moment(container, self._network.address))
        soonest = min(moments, default=time.monotonic() + _IDLE) - time.monotonic()
        return min(max(soonest, 0.02), _IDLE)

    def _report(self) -> None:
        if self.host.stopping.is_set():
            return
        before = self._reported or self.object.get("status", {})
        status = self.containers.status(before, self._network.address)
        if status != self._reported or self._overridden:
            self._reported, self._overridden = status, False
            self.host.statuses.put(self.object["metadata"], status)

    def _tear_down(self) -> None:
        if self.host.stopping.is_set():
            return
        if self._reported:
            self._report()
        self._network.leave()
        self.host.statuses.flush(self.uid)
        self.host.remove_folder(self._folder)
        if not self._deleted:
            self.host.confirm_deletion(self.object["metadata"])

    def _event(self, reason: str, message: str, container: Container, bad: bool = False) -> None:
        self.host.events.add(self.object, reason, message, bad=bad, on=container.name)
