"""A pod's status, from the statuses of its containers."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.api import Object

__all__ = [
    "OVER",
    "ContainerStatus",
    "condition",
    "conditions",
    "now",
    "phase",
    "pod_status",
    "restarts",
]

OVER = ("Succeeded", "Failed")
"""Phases of a pod that has ended."""


def now() -> str:
    """The current time in the API's format."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ContainerStatus:
    """The status of a container."""

    name: str
    image: str
    policy: str
    """Whether it is restarted: Always, OnFailure or Never."""
    state: Object = field(default_factory=lambda: {"waiting": {"reason": "PodInitializing"}})
    last: Object = field(default_factory=dict)
    restart_count: int = 0
    ready: bool = False
    started: bool = False
    identity: str = ""

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def ended(self) -> Object | None:
        """The terminated state of a container that won't be restarted."""
        found = self.state.get("terminated")
        return found if found and not restarts(self.policy, found["exitCode"]) else None

    @property
    def succeeded(self) -> bool:
        return self.ended is not None and self.ended["exitCode"] == 0

    def object(self) -> Object:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image if self.identity else "",
            "containerID": f"process://{self.identity}" if self.identity else "",
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
        }


def restarts(policy: str, code: int) -> bool:
    """Whether a container that ended with this code is restarted."""
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def phase(init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> str:
    """The pod's phase: Pending, Running, Succeeded or Failed."""
    if any(each.ended and not each.succeeded for each in init):
        return "Failed"
    if all(each.ended for each in main):
        return "Succeeded" if all(each.succeeded for each in main) else "Failed"
    begun = any(each.running or each.ended or each.restart_count or each.last for each in main)
    return "Running" if begun else "Pending"


def conditions(
    before: Iterable[Object],
    known: Iterable[Object],
    networked: bool,
    initialized: bool,
    main: Sequence[ContainerStatus],
    over: str,
) -> list[Object]:
    """The pod's conditions, and those of others among the `known` ones.

    `over` is the phase if the pod has ended.
    """
    unready = [each.name for each in main if not each.ready]
    reason = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(over, "ContainersNotReady")
    why = {"reason": reason, "message": f"containers with unready status: {unready}"}
    waits: dict[str, Any] = {} if initialized else {"reason": "ContainersNotInitialized"}
    made = {
        "PodReadyToStartContainers": (networked, {}),
        "Initialized": (initialized, waits),
        "ContainersReady": (not unready, why if unready else {}),
        "Ready": (not unready, why if unready else {}),
    }
    old = {each["type"]: each for each in before}
    kept = [each for each in known if each["type"] not in made]
    return kept + [condition(kind, str(holds), old, **why) for kind, (holds, why) in made.items()]


def condition(kind: str, status: str, before: dict[str, Object], **more: str) -> Object:
    """A condition; it keeps the time of the last transition if its status is the same as before."""
    last = before.get(kind, {})
    since = last.get("lastTransitionTime") if last.get("status") == status else None
    return {"type": kind, "status": status, "lastTransitionTime": since or now(), **more}


def pod_status(
    before: Object,
    known: Object,
    phase_now: str,
    address: str,
    initialized: bool,
    init: Sequence[ContainerStatus],
    main: Sequence[ContainerStatus],
) -> Object:
    """The whole status.

    `before` is the last one, for its times; `known` is the API server's, for conditions of others.
    """
    over = phase_now if phase_now in OVER else ""
    return {
        "phase": phase_now,
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "startTime": before.get("startTime") or now(),
        "conditions": conditions(
            before.get("conditions", []),
            known.get("conditions", []),
            bool(address),
            initialized,
            main,
            over,
        ),
        "containerStatuses": [each.object() for each in main],
        **({"initContainerStatuses": [each.object() for each in init]} if init else {}),
        **({"podIP": address, "podIPs": [{"ip": address}]} if address else {}),
    }
