"""When a Job is done, and why it failed: its own condition and its failing pod's last words."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.plugins.kubernetes.requirement import Hopeless, Requirement
from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.plugins.kubernetes.cluster import Cluster, Object

LOG_LINES = 20
PODS_EVERY_SECONDS = 1.0
_NO_MESSAGE = "it left no message and no log"


@dataclass
class JobIsComplete(Requirement):
    """The official plugin's own waiting for Jobs."""

    cluster: Cluster
    _asked: float = 0.0
    _pods: str = ""

    def missing(self, live: Object) -> str | None:
        conditions = live.get("status", {}).get("conditions") or []
        held = {item["type"]: item for item in conditions if item.get("status") == "True"}
        if "Complete" in held:
            return None
        if "Failed" in held:
            failure = held["Failed"]
            words = ": ".join(filter(None, (failure.get("reason"), failure.get("message"))))
            raise Hopeless([f"the Job failed: {words}", *self._last_words(live)])
        if time.monotonic() > self._asked + PODS_EVERY_SECONDS:
            self._pods = "; ".join(self._states(live)) or "no pod yet"
            self._asked = time.monotonic()
        return f"the Job is not complete: {self._pods}"

    def _last_words(self, live: Object) -> list[str]:
        return [
            f"{text}: {self._message(pod, name, state)}"
            for pod in self._owned(live)
            for name, state, text in _failures(pod)
        ]

    def _states(self, live: Object) -> list[str]:
        return [f"pod {pod['metadata']['name']} {_state(pod)}" for pod in self._owned(live)]

    def _owned(self, live: Object) -> list[Object]:
        selector = f"batch.kubernetes.io/controller-uid={live['metadata']['uid']}"
        try:
            return self.cluster.list_pods(live["metadata"]["namespace"], selector)
        except PluginError:
            # Their part in an explanation is not worth failing for.
            return []

    def _message(self, pod: Object, container: str, state: Object) -> str:
        if message := str(state.get("message", "")).strip():
            return message
        metadata = pod["metadata"]
        try:
            log = self.cluster.log(metadata["namespace"], metadata["name"], container, LOG_LINES)
        except PluginError:
            return _NO_MESSAGE
        return log.strip() or _NO_MESSAGE


def _statuses(pod: Object) -> Iterator[Object]:
    status = pod.get("status", {})
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _failures(pod: Object) -> Iterator[tuple[str, Object, str]]:
    """Container, how it ended, and that in words, for each that ended badly."""
    for status in _statuses(pod):
        for state in (status.get("state", {}), status.get("lastState", {})):
            ended = state.get("terminated")
            if ended and ended.get("exitCode"):
                name, reason = status["name"], ended.get("reason") or "Error"
                where = f"pod {pod['metadata']['name']}, container {name}"
                yield name, ended, f"{where} exited with {ended['exitCode']} ({reason})"
                break


def _state(pod: Object) -> str:
    """A pod's state, with the reason where something keeps it from running."""
    for status in _statuses(pod):
        waiting = status.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    found: dict[str, Any] = pod.get("status", {})
    for condition in found.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
    return str(found.get("phase", "Unknown"))
