"""Why an InferenceService can't come up, as KServe and the pods say it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobs.verify.rollout import changed_at, condition, moment, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.verify.kubernetes import Object

__all__ = ["Log", "Snapshot", "Trouble", "diagnose", "last_warning"]

IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# Reasons of KServe's and Knative's conditions that waiting doesn't mend.
TERMINAL = (
    "ContainerMissing",
    "FailedCreate",
    "InvalidGPUAllocation",
    "InvalidPredictorSpec",
    "InvalidWorkerSpecNotSet",
    "NoSupportingRuntime",
    "ProgressDeadlineExceeded",
    "RevisionFailed",
    "RuntimeDisabled",
    "RuntimeNotRecognized",
)
# The first restart is immediate and may well be the last.
RESTARTS = 2
PATIENCE = timedelta(seconds=20)
# How long a trouble must be seen before it is believed: statuses follow a change by moments.
SETTLE_SECONDS = 5.0
# What was said before the spec was written may be said again without a new date.
STALE_SECONDS = 30.0


@dataclass(frozen=True)
class Snapshot:
    """What could be read at one moment; None where the Job may not read it."""

    service: Object | None
    pods: list[Object] | None
    events: list[Object]


@dataclass(frozen=True)
class Log:
    """Where the cause is likely written: a container, or its previous run."""

    pod: str
    container: str
    previous: bool


@dataclass(frozen=True)
class Trouble:
    """Why it can't come up. `key` is the same as long as it is the same trouble."""

    key: str
    reason: str
    settle: float = SETTLE_SECONDS
    log: Log | None = None


def diagnose(seen: Snapshot, uri: str, now: datetime) -> Trouble | None:
    """The first trouble of the version that serves `uri`; None while it may still come up."""
    if seen.service is None:
        return None
    current, _ = split(seen.pods or [], uri)
    for pod in current:
        for trouble in _pod_troubles(pod, seen.events, now):
            return trouble
    return _failed_load(seen.service, seen.pods) or _failed_condition(seen.service, now)


def last_warning(seen: Snapshot, uri: str, service: str) -> str | None:
    """The newest warning about the service or its current pods."""
    current, _ = split(seen.pods or [], uri)
    names = {service} | {pod["metadata"]["name"] for pod in current}
    found = [
        event
        for event in seen.events
        if event.get("type") == "Warning" and _about(event).get("name") in names
    ]
    if not found:
        return None
    newest = max(found, key=_seen_at)
    return f"{_about(newest).get('name')}: {newest.get('reason')}: {newest.get('message')}"


def _pod_troubles(pod: Object, events: list[Object], now: datetime) -> Iterator[Trouble]:
    status = pod.get("status", {})
    for group in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(group) or []:
            trouble = _container_trouble(pod["metadata"]["name"], container)
            if trouble:
                yield trouble
    for trouble in (_unschedulable(pod, events, now), _missing_volume(pod, events, now)):
        if trouble:
            yield trouble


def _container_trouble(pod: str, container: Mapping[str, Any]) -> Trouble | None:
    name = container.get("name", "")
    waiting = container.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason")
    where = f"pod {pod}, container {name}"
    said = waiting.get("message") or "no message"
    if reason in IMAGE:
        text = f"{where}: image {container.get('image')} can't be pulled: {reason}: {said}"
        return Trouble(f"image {where}", text)
    if reason in CONTAINER:
        return Trouble(f"container {where}", f"{where} can't start: {reason}: {said}")
    restarts = container.get("restartCount", 0)
    last = _ended(container)
    looping = restarts >= RESTARTS and not container.get("ready") and last.get("exitCode")
    if reason == "CrashLoopBackOff" or looping:
        running = bool(container.get("state", {}).get("terminated"))
        log = Log(pod, name, previous=not running)
        return Trouble(f"crash {where}", f"{where} keeps ending: {_end(last, restarts)}", log=log)
    return None


def _ended(container: Mapping[str, Any]) -> Mapping[str, Any]:
    for state in ("state", "lastState"):
        ended: Mapping[str, Any] | None = container.get(state, {}).get("terminated")
        if ended:
            return ended
    return {}


def _end(last: Mapping[str, Any], restarts: int) -> str:
    said = [f"exit code {last.get('exitCode', 'unknown')}"]
    if last.get("reason") not in (None, "Error"):
        said.append(last["reason"])
    if last.get("message"):
        said.append(" ".join(str(last["message"]).split()))
    times = "once" if restarts == 1 else f"{restarts} times"
    return f"{', '.join(said)}; restarted {times}"


def _unschedulable(pod: Object, events: list[Object], now: datetime) -> Trouble | None:
    found = condition(pod, "PodScheduled")
    if found.get("status") != "False" or found.get("reason") != "Unschedulable":
        return None
    since = moment(found.get("lastTransitionTime"))
    name = pod["metadata"]["name"]
    if not since or now - since < PATIENCE or _node_coming(name, events):
        return None
    waited = round((now - since).total_seconds())
    text = f"pod {name}: no node takes it for {waited} s: {found.get('message')}"
    return Trouble(f"schedule {name}", text, settle=0)


def _node_coming(pod: str, events: list[Object]) -> bool:
    """A cluster autoscaler said last that it makes a node for the pod."""
    about = [
        event
        for event in events
        if _about(event).get("name") == pod
        and event.get("reason") in ("TriggeredScaleUp", "NotTriggerScaleUp")
    ]
    return bool(about) and max(about, key=_seen_at)["reason"] == "TriggeredScaleUp"


def _missing_volume(pod: Object, events: list[Object], now: datetime) -> Trouble | None:
    name = pod["metadata"]["name"]
    started = any(
        not container.get("state", {}).get("waiting")
        for group in ("initContainerStatuses", "containerStatuses")
        for container in pod.get("status", {}).get(group) or []
    )
    for event in events:
        if started or _about(event).get("name") != name or event.get("reason") != "FailedMount":
            continue
        message = event.get("message", "")
        if "not found" in message and now - _seen_at(event, first=True) >= PATIENCE:
            return Trouble(f"mount {name}", f"pod {name}: {message}", settle=0)
    return None


def _failed_load(service: Object, pods: list[Object] | None) -> Trouble | None:
    """KServe's model status. Where there are pods it only repeats what the first of them said,
    whichever revision that is, without a date; so then it counts for invalid specs alone."""
    status = service.get("status", {}).get("modelStatus") or {}
    target = (status.get("states") or {}).get("targetModelState")
    transition = status.get("transitionStatus")
    failed = target == "FailedToLoad" or transition in ("BlockedByFailedLoad", "InvalidSpec")
    if not failed or (pods and transition != "InvalidSpec"):
        return None
    info = status.get("lastFailureInfo") or {}
    why = info.get("message") or "no message"
    if info.get("exitCode"):
        why += f" (exit code {info['exitCode']})"
    text = f"KServe's model status is {transition}: {info.get('reason', 'no reason')}: {why}"
    return Trouble(f"model {transition}", text, settle=_settle(service, info.get("time")))


def _failed_condition(service: Object, now: datetime) -> Trouble | None:
    for found in service.get("status", {}).get("conditions") or []:
        reason = found.get("reason")
        if found.get("status") != "False" or reason not in TERMINAL:
            continue
        since = found.get("lastTransitionTime")
        at = moment(since)
        # A quota may be freed by the pods that are on their way out.
        if reason == "FailedCreate" and at and now - at < PATIENCE:
            continue
        text = f"condition {found.get('type')} is False: {reason}: {found.get('message')}"
        return Trouble(f"condition {found.get('type')}", text, settle=_settle(service, since))
    return None


def _settle(service: Object, said: str | None) -> float:
    changed, at = changed_at(service), moment(said)
    return STALE_SECONDS if changed and at and at < changed else SETTLE_SECONDS


def _about(event: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = event.get("involvedObject") or {}
    return found


def _seen_at(event: Object, *, first: bool = False) -> datetime:
    names = ("firstTimestamp", "eventTime") if first else ("lastTimestamp", "eventTime")
    found = next((event[name] for name in names if event.get(name)), None)
    return moment(found) or datetime.min.replace(tzinfo=UTC)
