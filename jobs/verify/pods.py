"""Why a pod is not ready, from its status and events. Pure.

Which of these heal by themselves, and by which source, is a table in docs/verification.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jobs.verify.failure import HEALS, PATIENCE_SECONDS, Failure, Log, events_of, newest
from jobs.verify.rollout import INITIALIZER, condition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.verify.kubernetes import Object

__all__ = ["pod_failures"]

STATUSES = ("initContainerStatuses", "containerStatuses")
PULLING = (
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "SignatureValidationFailed",
)
# The kubelet never pulls these: the name can't be read, or the policy is Never.
NEVER_PULLED = ("InvalidImageName", "ErrImageNeverPull")
CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# A registry's answer that there is no such image: codes of the OCI distribution specification, and
# containerd's words for status 404. A refused login is not among them, since permissions spread.
NO_IMAGE = re.compile(
    r"manifest[_ ]unknown|name[_ ]unknown|manifest \S+ not found|no match for platform|"
    r"code = NotFound|: not found\b",
    re.IGNORECASE,
)
# What KServe's storage initializer says of a URI that names nothing. Whatever else it says may be
# a permission that has not spread yet, or a network that is not up yet.
NO_MODEL = re.compile(
    r"No model found in|resource '[^']*' not found|does not exist|Cannot recognize storage type"
)
# The first restart is immediate and often succeeds.
RESTARTS = 2
# Reasons of the cluster autoscaler that a new node would not change: requests beyond any node's
# size, and labels or taints that no group of nodes has.
NO_NODE_FITS = re.compile(
    r"\d+ (Insufficient \S+|node\(s\) (didn't match|had untolerated taint|didn't satisfy).*)"
)


def pod_failures(pod: Object, events: list[Object]) -> Iterator[Failure]:
    """Everything that keeps a pod from being ready."""
    name = pod["metadata"]["name"]
    own = events_of(name, events)
    for group in STATUSES:
        for container in pod.get("status", {}).get(group) or []:
            yield from _container_failure(name, container, own)
    yield from _unscheduled(pod, own)
    yield from _unmounted(pod, own)


def _container_failure(
    pod: str, container: Mapping[str, Any], events: list[Object]
) -> Iterator[Failure]:
    where = f"pod {pod}, container {container.get('name', '')}"
    waiting = container.get("state", {}).get("waiting") or {}
    reason, message = waiting.get("reason"), waiting.get("message") or "no message"
    if reason in PULLING or reason in NEVER_PULLED:
        yield _unpulled(where, container, reason, message, events)
    elif reason in CONTAINER:
        text = f"{where} can't start: {reason}: {message}"
        yield Failure(f"container {where}", text, settle=PATIENCE_SECONDS)
    else:
        yield from _crashing(pod, container, reason)


def _unpulled(
    where: str, container: Mapping[str, Any], reason: str, message: str, events: list[Object]
) -> Failure:
    """The kubelet pulls again after 10 s, 20 s and up to 5 minutes, and may only say so."""
    pulls = [
        event
        for event in events
        if event.get("reason") == "Failed" and "pull image" in str(event.get("message"))
    ]
    last = newest(pulls)
    if reason == "ImagePullBackOff" and last:
        message = str(last["message"])
    text = f"{where}: image {container.get('image')} can't be pulled: {reason}: {message}"
    if reason in NEVER_PULLED:
        return Failure(f"image {where}", text)
    final = NO_IMAGE.search(message)
    return Failure(f"image {where}", text, settle=PATIENCE_SECONDS if final else HEALS)


def _crashing(pod: str, container: Mapping[str, Any], reason: str | None) -> Iterator[Failure]:
    restarts = container.get("restartCount", 0)
    last = _last_exit(container)
    looping = restarts >= RESTARTS and not container.get("ready") and last.get("exitCode")
    if reason != "CrashLoopBackOff" and not looping:
        return
    name = container.get("name", "")
    where = f"pod {pod}, container {name}"
    text = f"{where} keeps restarting: {_exit(last, restarts)}"
    running = bool(container.get("state", {}).get("terminated"))
    log = Log(pod, name, previous=not running)
    if name == INITIALIZER and not NO_MODEL.search(str(last.get("message"))):
        yield Failure(f"crash {where}", text, settle=HEALS, log=log)
    else:
        yield Failure(f"crash {where}", text, log=log)


def _last_exit(container: Mapping[str, Any]) -> Mapping[str, Any]:
    for state in ("state", "lastState"):
        terminated: Mapping[str, Any] | None = container.get(state, {}).get("terminated")
        if terminated:
            return terminated
    return {}


def _exit(last: Mapping[str, Any], restarts: int) -> str:
    parts = [f"exit code {last.get('exitCode', 'unknown')}"]
    if last.get("reason") not in (None, "Error"):
        parts.append(last["reason"])
    if last.get("message"):
        parts.append(" ".join(str(last["message"]).split()))
    times = "once" if restarts == 1 else f"{restarts} times"
    return f"{', '.join(parts)}; restarted {times}"


def _unscheduled(pod: Object, events: list[Object]) -> Iterator[Failure]:
    """A node that is added, or room that other pods leave, is waited for."""
    found = condition(pod, "PodScheduled")
    if found.get("status") != "False":
        return
    name = pod["metadata"]["name"]
    text = f"pod {name}: no node fits: {found.get('message') or found.get('reason')}"
    scaling = ("TriggeredScaleUp", "NotTriggerScaleUp")
    last = newest(event for event in events if event.get("reason") in scaling) or {}
    said = str(last.get("message"))
    text += f" (cluster autoscaler: {said})" if last else ""
    hopeless = last.get("reason") == "NotTriggerScaleUp" and _fits_no_node(said)
    yield Failure(f"schedule {name}", text, settle=PATIENCE_SECONDS if hopeless else HEALS)


def _fits_no_node(said: str) -> bool:
    """Whether every reason of the cluster autoscaler for adding no node would stay.

    It writes `pod didn't trigger scale-up: 1 Insufficient cpu, 2 max node group size reached`.
    """
    _, _, listed = said.partition("scale-up")
    reasons = listed.rpartition("): ")[2].removeprefix(": ").split(", ")
    return all(NO_NODE_FITS.fullmatch(each.strip()) for each in reasons)


def _unmounted(pod: Object, events: list[Object]) -> Iterator[Failure]:
    """A ConfigMap or Secret that is missing; volumes that can't be attached yet are waited for."""
    started = any(
        not container.get("state", {}).get("waiting")
        for group in STATUSES
        for container in pod.get("status", {}).get(group) or []
    )
    mounts = [
        event for event in events if event.get("reason") in ("FailedMount", "FailedAttachVolume")
    ]
    last = newest(mounts)
    if started or last is None:
        return
    name, message = pod["metadata"]["name"], str(last.get("message"))
    settle = PATIENCE_SECONDS if "not found" in message else HEALS
    yield Failure(f"mount {name}", f"pod {name}: {message}", settle=settle)
