"""The life of one pod on the node, in a thread of its own."""

from __future__ import annotations

import queue
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from local.api import ApiError
from local.node.container import Container
from local.node.pod_network import PodNetwork
from local.node.probing import Probing
from local.node.reporting import log
from local.node.sandbox.client import SandboxError
from local.node.starting import start
from local.node.status import OVER, phase, pod_status
from local.node.variables import ConfigError
from local.node.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Object
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

    def __init__(self, host: Host, pod: Object, gone: Callable[[str], None]) -> None:
        self.host, self.object, self._gone = host, pod, gone
        about = pod["metadata"]
        self.uid: str = about["uid"]
        self.title = f"{about['namespace']}/{about['name']}"
        self.folder = host.root / "pods" / f"{about['namespace']}_{about['name']}_{self.uid}"
        self.initialized = False
        self._network = PodNetwork(host, self.uid, self.folder / "hosts")
        self._volumes = Volumes(host, pod, self.folder / "volumes")
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._set_up_at = 0.0
        self._reported: Object = {}
        self._overridden = False
        self._stop_at: float | None = None
        self._deleted = False
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        once = "Never" if policy == "Never" else "OnFailure"
        self.init = [
            self._container(each, each.get("restartPolicy") or once)
            for each in spec.get("initContainers", [])
        ]
        self.main = [self._container(each, policy) for each in spec["containers"]]
        self.probing = Probing(host, self._inbox.put)
        threading.Thread(target=self._run, name=self.title, daemon=True).start()

    @property
    def containers(self) -> list[Container]:
        return [*self.init, *self.main]

    def update(self, pod: Object) -> None:
        """Take the newest version of the object."""
        self._inbox.put(("update", pod))

    def delete(self) -> None:
        """The object was deleted."""
        self._inbox.put(("deleted",))

    def kill(self, key: str, cause: str) -> None:
        """End the container that runs under this key."""
        self._inbox.put(("kill", key, cause))

    def running(self) -> dict[str, int]:
        """The containers' keys and memory limits, in bytes."""
        return {each.key: each.memory for each in self.containers if each.key and each.memory}

    def _container(self, spec: Object, policy: str) -> Container:
        return Container(self.host, self.object, spec, self.folder / spec["name"], policy)

    @property
    def _over(self) -> str:
        """The phase of a pod that has ended, else an empty string."""
        found = self._phase()
        return found if found in OVER else ""

    def _phase(self) -> str:
        steps = [each.status for each in self.init if not each.sidecar]
        return phase(steps, [each.status for each in self.main])

    def _run(self) -> None:
        try:
            if "deletionTimestamp" not in self.object["metadata"]:
                self._resume()
                self._live()
            self._tear_down()
        except Exception as error:  # It must not end the agent.
            log(f"{self.title}: {type(error).__name__}: {error}")
            raise
        finally:
            self._gone(self.uid)

    def _resume(self) -> None:
        status = self.object.get("status", {})
        before = {
            each["name"]: each
            for kind in ("initContainerStatuses", "containerStatuses")
            for each in status.get(kind, [])
        }
        for container in self.containers:
            if container.name in before:
                container.resume(before[container.name])
        if not self._over:
            # Its network and volumes are made again, so init containers run again.
            for container in self.init:
                container.start_at = 0.0
                container.wait("PodInitializing")

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
        return self._stop_at is not None and not any(each.key for each in self.containers)

    def _take(self, message: tuple[Any, ...]) -> None:
        kind, *rest = message
        if self.host.stopping.is_set():
            # The next agent runs the pods again, so their statuses stay.
            for container in self.containers:
                if kind == "exit" and container.key == rest[0]:
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
            for container in self.containers:
                if container.key == rest[0]:
                    container.kill(rest[1])
        elif kind == "deleted":
            self._deleted = True
        if self._stop_at is None and (self._deleted or self._is_deleting()):
            self._begin_stop()

    def _is_overridden(self, pod: Object) -> bool:
        """Whether the node controller set a ready pod unready, after a silence of the node."""
        return _ready(self._reported) == "True" and _ready(pod.get("status", {})) == "False"

    def _is_deleting(self) -> bool:
        return "deletionTimestamp" in self.object["metadata"]

    def _on_exit(self, key: str, result: Exit) -> None:
        for container in self.containers:
            if container.key == key:
                container.ended(*result)
                state = container.status.state.get("waiting", {})
                if state.get("reason") == "CrashLoopBackOff":
                    self._event("BackOff", state["message"], container, bad=True)

    def _on_probe(self, key: str, kind: str, well: bool, message: str) -> None:
        for container in self.containers:
            if container.key != key:
                continue
            verdict = self.probing.note(container, kind, well)
            if not well:
                self._event("Unhealthy", f"{kind} failed: {message}", container, bad=True)
            if verdict is None:
                return
            was = container.status.ready
            if kind == "readinessProbe":
                container.status.ready = verdict and container.status.started
                if was and not verdict:
                    self.host.sandbox.drain(self.uid)
            elif not verdict:
                self._end(container, "Error", f"{kind} failed, will be restarted")
            elif kind == "startupProbe":
                container.status.started = True
                container.update_ready()

    def _advance(self) -> None:
        """Start what is due: init containers one after the other, then the others together."""
        if self.host.stopping.is_set():
            return
        if self._stop_at is not None:
            self._continue_stop()
            return
        if self._over:
            self._end_sidecars()
            return
        if not self._network.address and not self._set_up():
            return
        for container in self.init:
            if container.status.policy == "Always":  # A sidecar: the rest wait for its start only.
                self._start_if_due(container)
                if not container.status.started:
                    return
            elif not container.status.succeeded:
                if not container.status.ended:
                    self._start_if_due(container)
                return
        self.initialized = True
        for container in self.main:
            if not container.status.ended:
                self._start_if_due(container)
        self._renew_tokens()

    def _end_sidecars(self) -> None:
        """End sidecars when all other containers have ended."""
        for container in self.init:
            if container.key and container.status.policy == "Always":
                container.status.policy = "Never"
                self._end(container, "Error", "Stopping container")

    def _end(self, container: Container, cause: str, why: str) -> None:
        """Send SIGTERM, and SIGKILL after the grace period."""
        self._event("Killing", why, container)
        container.signal(signal.SIGTERM)
        threading.Timer(self._grace(), self.kill, (container.key, cause)).start()

    def _renew_tokens(self) -> None:
        try:
            self._volumes.renew()
        except ApiError as error:
            log(f"{self.title}: token not renewed yet: {error}")

    def _start_if_due(self, container: Container) -> None:
        if not container.key and time.monotonic() >= container.start_at:
            start(self.host, self.object, container, self._volumes, self._network.hosts, self._exit)

    def _exit(self, key: str, result: Exit) -> None:
        self._inbox.put(("exit", key, result))

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
        for container in self.containers:
            if container.key:
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
        moments += [
            self.probing.next_moment(c, self._network.address) for c in self.containers if c.key
        ]
        soonest = min(moments, default=time.monotonic() + _IDLE) - time.monotonic()
        return min(max(soonest, 0.02), _IDLE)

    def _report(self) -> None:
        if self.host.stopping.is_set():
            return
        init, main = ([c.status for c in group] for group in (self.init, self.main))
        over = self._over
        if over:
            for each in main:
                each.ready = False
        status = pod_status(
            self._reported or self.object.get("status", {}),
            over or self._phase(),
            self._network.address,
            self.initialized,
            init,
            main,
        )
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
        self.host.remove_folder(self.folder)
        if not self._deleted:
            self.host.confirm_deletion(self.object["metadata"])

    def _event(self, reason: str, message: str, container: Container, bad: bool = False) -> None:
        self.host.events.add(self.object, reason, message, bad=bad, on=container.name)


def _ready(status: Object) -> str:
    """The Ready condition of a pod's status."""
    conditions = status.get("conditions", [])
    return next((str(c["status"]) for c in conditions if c["type"] == "Ready"), "")
