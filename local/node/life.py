"""What happens to a pod, from its network and volumes to the end of its containers."""

from __future__ import annotations

import contextlib
import queue
import time
from typing import TYPE_CHECKING, Any

from local.api import ApiError, condition_status
from local.node.containers import Containers
from local.node.ending import Endings
from local.node.pod_network import PodNetwork
from local.node.probing import Probing
from local.node.reporting import log
from local.node.sandbox.client import SandboxError
from local.node.starting import start
from local.node.variables import ConfigError
from local.node.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.api import Object
    from local.node.container import Container
    from local.node.host import Host
    from local.node.sandbox.client import Exit

__all__ = ["Life", "Message"]

Message = tuple[Any, ...]
_AGAIN = 2.0
_IDLE = 30.0
_DEFAULT_GRACE = 30


class Life:
    """Its methods are called from the pod's thread; others send messages to `inbox`."""

    def __init__(
        self,
        host: Host,
        pod: Object,
        inbox: queue.SimpleQueue[Message],
        *,
        status: Object | None = None,
        interruption: tuple[str, str] = ("NodeAgentRestarted", "the node agent was restarted"),
        set_up_at: float = 0.0,
    ) -> None:
        """`status` is the last one if it isn't the object's, and `interruption` a reason and a
        message for the containers that run according to it. Nothing starts before `set_up_at`.
        """
        self.host, self.object, self._inbox = host, pod, inbox
        about = pod["metadata"]
        self.uid: str = about["uid"]
        self.title = f"{about['namespace']}/{about['name']}"
        self._folder = host.root / "pods" / f"{about['namespace']}_{about['name']}_{self.uid}"
        self._network = PodNetwork(host, self.uid, self._folder / "hosts")
        self.volumes = Volumes(host, pod, self._folder / "volumes")
        self.containers = Containers(host, pod, self._folder)
        self.probing = Probing(host, inbox.put)
        self._endings = Endings(host, self.probing, inbox.put)
        self._set_up_at = set_up_at
        self._reported: Object = {}
        self._overridden = False
        self._stopping = False
        self._deleted = False
        if not self._is_deleting():
            self.containers.resume(status or pod.get("status", {}), *interruption)

    def successor(self, error: Exception, set_up_at: float) -> Life:
        """The pod's next life, after this one failed and was abandoned."""
        why = f"{type(error).__name__}: {error}"
        self.host.events.add(self.object, "FailedSync", f"starts again: {why}", bad=True)
        made = Life(
            self.host,
            self.object,
            self._inbox,
            status=self._reported,
            interruption=("NodeAgentFailed", f"the node agent failed: {why}"),
            set_up_at=set_up_at,
        )
        made._deleted = self._deleted
        return made

    def run(self) -> None:
        """Until the pod has ended, and nothing of it is left on the node."""
        if self._deleted or self._is_deleting():
            self._begin_stop()
        while not self._is_done():
            self._advance()
            self._report()
            if self._is_done():
                break
            try:
                message = self._inbox.get(timeout=self._wait_seconds())
            except queue.Empty:
                continue
            self._take(message)
            while not self._inbox.empty():
                self._take(self._inbox.get())
        self._tear_down()

    def abandon(self) -> None:
        """End at once what runs, and report nothing."""
        for container in self.containers.running:
            container.abandon()
        with contextlib.suppress(SandboxError):
            self._network.leave()

    def _is_done(self) -> bool:
        return self._stopping and not self.containers.running

    def _take(self, message: Message) -> None:
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
        elif kind == "hook":
            self._on_hook(*rest)
        elif kind == "kill":
            if container := self.containers.find(rest[0]):
                container.kill(rest[1])
        elif kind == "deleted":
            self._deleted = True
        if self._deleted or self._is_deleting():
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
        if kind == "readinessProbe":
            container.status.ready = verdict and container.status.started
        elif not verdict:
            self._end(container, f"{kind} failed, will be restarted")
        elif kind == "startupProbe":
            container.status.started = True
            container.update_ready()

    def _on_hook(self, key: str, message: str) -> None:
        self._endings.note_hook(key)
        container = self.containers.find(key)
        if container and message:
            self._event("FailedPreStopHook", f"preStop failed: {message}", container, bad=True)

    def _advance(self) -> None:
        """Start or end what is due."""
        if self.host.stopping.is_set():
            return
        if not self._stopping:
            self._go_on()
        self._endings.advance()

    def _go_on(self) -> None:
        """Start the containers that are due, and end those that outlived the pod's work."""
        if self.containers.over:
            for container in self.containers.sidecars:
                container.status.policy = "Never"
                self._end(container, "Stopping container", self.containers.later(container))
        elif self._network.address or self._set_up():
            for container in self.containers.due():
                start(
                    self.host,
                    self.object,
                    container,
                    self.volumes,
                    self._network.hosts,
                    lambda key, result: self._inbox.put(("exit", key, result)),
                )
            self.volumes.update(self.object)

    def _set_up(self) -> bool:
        """Make network and volumes. False: it failed, and is tried again later."""
        if time.monotonic() < self._set_up_at:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.volumes.prepare()
            self._network.join(self.object, self.volumes.in_memory)
        except (ApiError, ConfigError, SandboxError, OSError, RuntimeError) as error:
            log(f"{self.title}: {error}")
            self.host.events.add(self.object, "FailedMount", str(error), bad=True)
            for container in self.containers:
                container.wait("ContainerCreating", str(error))
            self._set_up_at = time.monotonic() + _AGAIN
            return False
        return True

    def _begin_stop(self) -> None:
        """Stop new connections, then end the containers. Again: the grace period may be shorter."""
        if not self._stopping:
            self._stopping = True
            self.probing.stop()
            self._network.drain()
        for container in self.containers.running:
            self._end(container, "Stopping container", self.containers.later(container))

    def _end(self, container: Container, why: str, others: Sequence[Container] = ()) -> None:
        """End a container, after these others."""
        if self._endings.begin(container, self._grace(), self._network.address, others):
            self._event("Killing", why, container)
            container.probes = [each for each in container.probes if each.kind == "readinessProbe"]

    def _grace(self) -> float:
        if self._deleted:
            return 0.0
        about, spec = self.object["metadata"], self.object["spec"]
        fallback = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        return float(about.get("deletionGracePeriodSeconds", fallback))

    def _wait_seconds(self) -> float:
        moments = [self._endings.next_at]
        if not self._stopping:
            if not self._network.address:
                return max(self._set_up_at - time.monotonic(), 0.05)
            moments += [
                c.start_at
                for c in self.containers
                if not c.key and not c.status.ended and c.start_at
            ]
            for container in self.containers.running:
                moments.append(self.probing.next_moment(container, self._network.address))
        soonest = min(moments) - time.monotonic()
        return min(max(soonest, 0.02), _IDLE)

    def _report(self) -> None:
        if self.host.stopping.is_set():
            return
        known = self.object.get("status", {})
        status = self.containers.status(self._reported or known, known, self._network.address)
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
