"""Why an InferenceService can't become ready, from its status, pods and events. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.verify.failure import SETTLE_SECONDS, Failure, about, is_refusal, newest
from jobs.verify.pods import pod_failures
from jobs.verify.refusals import is_ending, refused_objects, refused_pods
from jobs.verify.revisions import cause, remedy
from jobs.verify.rollout import changed_at, parse_time, split

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from jobs.verify.kubernetes import Object

__all__ = ["STALE_SECONDS", "Snapshot", "diagnose", "last_warning"]

# Reasons of conditions of KServe and Knative that don't change by waiting. Not among them are
# those that a failed revision takes from its pods, which are examined themselves.
TERMINAL = (
    "ContainerMissing",
    "InvalidGPUAllocation",
    "InvalidPredictorSpec",
    "InvalidWorkerSpecNotSet",
    "NoSupportingRuntime",
    "ProgressDeadlineExceeded",
    "RevisionFailed",
    "RuntimeDisabled",
    "RuntimeNotRecognized",
)
# Reasons of an object that could not be made, which is tried again without end.
REFUSING = ("FailedCreate", "ReconcileFailed")
# For a failure dated before the spec was written, which may recur without a new date.
STALE_SECONDS = 30.0


@dataclass(frozen=True)
class Snapshot:
    """Objects read at one time; None where the service account may not read them."""

    service: Object | None
    pods: list[Object] | None
    events: list[Object]
    revisions: list[Object] | None = None
    replica_sets: list[Object] | None = None


def diagnose(seen: Snapshot, uri: str, now: datetime) -> Failure | None:
    """Why the version that serves `uri` is not ready, first what is final soonest.

    None where nothing is known that stands in its way.
    """
    if seen.service is None:
        return None
    return min(_failures(seen, seen.service, uri, now), key=lambda each: each.settle, default=None)


def _failures(seen: Snapshot, service: Object, uri: str, now: datetime) -> Iterator[Failure]:
    pods = seen.pods or []
    current, _ = split(pods, uri)
    for pod in current:
        yield from pod_failures(pod, seen.events)
    yield from refused_pods(seen.replica_sets or [], pods, uri)
    yield from refused_objects(service, seen.events, now)
    yield from _failed_load(service, seen.pods)
    yield from _failed_conditions(service, seen.revisions, is_ending(pods))


def last_warning(seen: Snapshot, uri: str, service: str) -> str | None:
    """The newest warning about the service or its current pods."""
    current, _ = split(seen.pods or [], uri)
    names = {service} | {pod["metadata"]["name"] for pod in current}
    last = newest(
        event
        for event in seen.events
        if event.get("type") == "Warning" and about(event).get("name") in names
    )
    if last is None:
        return None
    return f"{about(last).get('name')}: {last.get('reason')}: {last.get('message')}"


def _failed_load(service: Object, pods: list[Object] | None) -> Iterator[Failure]:
    """A failure in KServe's model status.

    Where there are pods it repeats the state of the first one, of any revision, without a date; it
    then only counts for an invalid spec. Under Knative it also says so, without a reason, while any
    condition of the component is False; the condition itself tells then.
    """
    status = service.get("status", {}).get("modelStatus") or {}
    target = (status.get("states") or {}).get("targetModelState")
    transition = status.get("transitionStatus")
    failed = target == "FailedToLoad" or transition in ("BlockedByFailedLoad", "InvalidSpec")
    if not failed or (pods and transition != "InvalidSpec"):
        return
    info = status.get("lastFailureInfo")
    if not info:
        return
    why = info.get("message") or "no message"
    if info.get("exitCode"):
        why += f" (exit code {info['exitCode']})"
    text = f"KServe's model status is {transition}: {info.get('reason')}: {why}"
    yield Failure(f"model {transition}", text, settle=_settle(service, info.get("time")))


def _failed_conditions(
    service: Object, revisions: list[Object] | None, ending: bool
) -> Iterator[Failure]:
    for found in service.get("status", {}).get("conditions") or []:
        reason, message = cause(found, revisions), str(found.get("message"))
        refused = reason in REFUSING and is_refusal(message, ending=ending)
        if found.get("status") != "False" or not (refused or reason in TERMINAL):
            continue
        # A Deployment goes on after its deadline. Knative gives a revision up.
        if reason == "ProgressDeadlineExceeded" and revisions is None:
            continue
        text = f"condition {found.get('type')} is False: {reason}: {message}"
        text += remedy(found, reason, service["metadata"]["namespace"])
        settle = _settle(service, found.get("lastTransitionTime"))
        yield Failure(f"condition {found.get('type')}", text, settle=settle)


def _settle(service: Object, time: str | None) -> float:
    changed, at = changed_at(service), parse_time(time)
    return STALE_SECONDS if changed and at and at < changed else SETTLE_SECONDS
