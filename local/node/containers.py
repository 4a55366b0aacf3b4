"""The containers of one pod: their order, and the pod's status that follows from theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.node.container import Container
from local.node.pod_status import OVER, phase, pod_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host

__all__ = ["Containers"]


class Containers:
    """Init containers and main containers."""

    def __init__(self, host: Host, pod: Object, folder: Path) -> None:
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        once = "Never" if policy == "Never" else "OnFailure"
        self.initialized = False
        self._init = [
            Container(host, pod, each, folder / each["name"], each.get("restartPolicy") or once)
            for each in spec.get("initContainers", [])
        ]
        self._main = [
            Container(host, pod, each, folder / each["name"], policy) for each in spec["containers"]
        ]

    def __iter__(self) -> Iterator[Container]:
        return iter([*self._init, *self._main])

    @property
    def running(self) -> list[Container]:
        return [each for each in self if each.key]

    @property
    def sidecars(self) -> list[Container]:
        """Running init containers that are restarted until the pod ends."""
        return [each for each in self._init if each.key and each.status.policy == "Always"]

    @property
    def over(self) -> str:
        """The phase of a pod that has ended, else an empty string."""
        return found if (found := self._phase()) in OVER else ""

    def find(self, key: str) -> Container | None:
        """The container that runs under this key."""
        return next((each for each in self if each.key == key), None)

    def later(self, container: Container) -> list[Container]:
        """Those that a sidecar outlives, if the container is one."""
        ordered = list(self)
        return ordered[ordered.index(container) + 1 :] if container.sidecar else []

    def resume(self, status: Object, reason: str, message: str) -> None:
        """Continue from the status of a pod whose processes ended, for this reason."""
        before = {
            each["name"]: each
            for kind in ("initContainerStatuses", "containerStatuses")
            for each in status.get(kind, [])
        }
        for container in self:
            if container.name in before:
                container.resume(before[container.name], reason, message)
        if not self.over:
            # The pod's network and volumes are made again, so init containers run again.
            for container in self._init:
                container.start_at = 0.0
                container.wait("PodInitializing")

    def due(self) -> Iterator[Container]:
        """Those to start now: init containers one after the other, then the others together.

        Each must be started before the next is taken.
        """
        for container in self._init:
            if container.status.policy == "Always":  # A sidecar: only its start is waited for.
                if container.is_due:
                    yield container
                if not container.status.started:
                    return
            elif not container.status.succeeded:
                if container.is_due:
                    yield container
                return
        self.initialized = True
        yield from (each for each in self._main if each.is_due)

    def status(self, before: Object, known: Object, address: str) -> Object:
        """The pod's status; `before` is the last one, `known` the API server's."""
        over = self.over
        if over:
            for each in self._main:
                each.status.ready = False
        init, main = ([each.status for each in group] for group in (self._init, self._main))
        phase_now = over or self._phase()
        return pod_status(before, known, phase_now, address, self.initialized, init, main)

    def _phase(self) -> str:
        steps = [each.status for each in self._init if not each.sidecar]
        return phase(steps, [each.status for each in self._main])
