"""Why an InferenceService can't become ready, from its status, pods and events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jobs.verify.revisions import cause, remedy
from jobs.verify.rollout import changed_at, condition, parse_time, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.verify.kubernetes import Object

__all__ = ["Failure", "Log", "Snapshot", "diagnose", "last_warning"]

IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
# Reasons of conditions of KServe and Knative that don't change by waiting. Not among them are
# those that a failed revision takes from its pods, which are examined themselves.
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
# What an admission webhook says of an object of KServe's, which KServe tries again without end.
DENIED = "denied the request"
# The first restart is immediate and often succeeds.
RESTARTS = 2
PATIENCE = timedelta(seconds=20)
# How long a failure must last: statuses follow a change with a delay.
SETTLE_SECONDS = 5.0
# The scheduler's longest back-off, after which a pod that found no room is tried again.
SCHEDULER_SECONDS = 10.0
# For a failure dated before the spec was written, which may recur without a new date.
STALE_SECONDS = 30.0


@dataclass(frozen=True)
class Snapshot:
    """Objects read at one time; None where the service account may not read them."""

    service: Object | None
    pods: list[Object] | None
    events: list[Object]
    revisions: list[Object] | None = None


@dataclass(frozen=True)
class Log:
    """The log that likely has the cause: of a container, or of its previous run."""

    pod: str
    container: str
    previous: bool


@dataclass(frozen=True)
class Failure:
    """Why an InferenceService can't become ready, once this has lasted for `settle` seconds.

    `key` identifies the failure while its text changes.
    """

    key: str
    reason: str
    settle: float = SETTLE_SECONDS
    log: Log | None = None


def diagnose(seen: Snapshot, uri: str, now: datetime) -> Failure | None:
    """The first failure of the version that serves `uri`; None while it may still become ready."""
    if seen.service is None:
        return None
    pods = seen.pods or []
    current, _ = split(pods, uri)
    # A pod that ends may make room on a node.
    ending = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
    for pod in current:
        for failure in _pod_failures(pod, seen.events, now, ending):
            return failure
    return _failed_load(seen.service, seen.pods) or _failed_condition(
        seen.service, seen.revisions, now
    )


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


def _pod_failures(
    pod: Object, events: list[Object], now: datetime, ending: bool
) -> Iterator[Failure]:
    status = pod.get("status", {})
    for group in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(group) or []:
            failure = _container_failure(pod["metadata"]["name"], container)
            if failure:
                yield failure
    unschedulable = None if ending else _unschedulable(pod, events, now)
    for failure in (unschedulable, _missing_volume(pod, events, now)):
        if failure:
            yield failure


def _container_failure(pod: str, container: Mapping[str, Any]) -> Failure | None:
    name = container.get("name", "")
    waiting = container.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason")
    where = f"pod {pod}, container {name}"
    message = waiting.get("message") or "no message"
    if reason in IMAGE:
        text = f"{where}: image {container.get('image')} can't be pulled: {reason}: {message}"
        return Failure(f"image {where}", text)
    if reason in CONTAINER:
        return Failure(f"container {where}", f"{where} can't start: {reason}: {message}")
    restarts = container.get("restartCount", 0)
    last = _last_exit(container)
    looping = restarts >= RESTARTS and not container.get("ready") and last.get("exitCode")
    if reason == "CrashLoopBackOff" or looping:
        running = bool(container.get("state", {}).get("terminated"))
        log = Log(pod, name, previous=not running)
        return Failure(
            f"crash {where}", f"{where} keeps restarting: {_exit(last, restarts)}", log=log
        )
    return None


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


def _unschedulable(pod: Object, events: list[Object], now: datetime) -> Failure | None:
    found = condition(pod, "PodScheduled")
    if found.get("status") != "False" or found.get("reason") != "Unschedulable":
        return None
    since = parse_time(found.get("lastTransitionTime"))
    name = pod["metadata"]["name"]
    if not since or now - since < PATIENCE or _node_expected(name, events):
        return None
    waited = round((now - since).total_seconds())
    text = f"pod {name}: no node fits for {waited} s: {found.get('message')}"
    return Failure(f"schedule {name}", text, settle=SCHEDULER_SECONDS)


def _node_expected(pod: str, events: list[Object]) -> bool:
    """Whether the newest event of a cluster autoscaler says that it adds a node for the pod."""
    about = [
        event
        for event in events
        if _about(event).get("name") == pod
        and event.get("reason") in ("TriggeredScaleUp", "NotTriggerScaleUp")
    ]
    return bool(about) and max(about, key=_seen_at)["reason"] == "TriggeredScaleUp"


def _missing_volume(pod: Object, events: list[Object], now: datetime) -> Failure | None:
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
            return Failure(f"mount {name}", f"pod {name}: {message}", settle=0)
    return None


def _failed_load(service: Object, pods: list[Object] | None) -> Failure | None:
    """A failure in KServe's model status.

    Where there are pods it repeats the state of the first one, of any revision, without a date; it
    then only counts for an invalid spec.
    """
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
    return Failure(f"model {transition}", text, settle=_settle(service, info.get("time")))


def _failed_condition(
    service: Object, revisions: list[Object] | None, now: datetime
) -> Failure | None:
    for found in service.get("status", {}).get("conditions") or []:
        reason = cause(found, revisions)
        denied = reason == "ReconcileFailed" and DENIED in (found.get("message") or "")
        if found.get("status") != "False" or not (reason in TERMINAL or denied):
            continue
        since = found.get("lastTransitionTime")
        at = parse_time(since)
        # Pods that are being deleted may free a quota.
        if reason == "FailedCreate" and at and now - at < PATIENCE:
            continue
        text = f"condition {found.get('type')} is False: {reason}: {found.get('message')}"
        text += remedy(found, reason, service["metadata"]["namespace"])
        return Failure(f"condition {found.get('type')}", text, settle=_settle(service, since))
    return None


def _settle(service: Object, time: str | None) -> float:
    changed, at = changed_at(service), parse_time(time)
    return STALE_SECONDS if changed and at and at < changed else SETTLE_SECONDS


def _about(event: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = event.get("involvedObject") or {}
    return found


def _seen_at(event: Object, *, first: bool = False) -> datetime:
    names = ("firstTimestamp", "eventTime") if first else ("lastTimestamp", "eventTime")
    found = next((event[name] for name in names if event.get(name)), None)
    return parse_time(found) or datetime.min.replace(tzinfo=UTC)
