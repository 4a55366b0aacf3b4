"""Objects that the API server refuses: pods of a ReplicaSet, and what KServe makes itself. Pure.

A quota, a LimitRange, Pod Security and admission webhooks all refuse at once, and again each time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.verify.failure import HEALS, SETTLE_SECONDS, Failure, events_of, is_refusal, seen_at
from jobs.verify.rollout import changed_at, condition, may_serve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from jobs.verify.kubernetes import Object

__all__ = ["is_ending", "refused_objects", "refused_pods"]

# KServe's controller tries again after about as long as it has tried so far, and may be busy.
SPARE = timedelta(seconds=10)


def refused_pods(
    replica_sets: Iterable[Object], pods: Iterable[Object], uri: str
) -> Iterator[Failure]:
    """Pods that ReplicaSets of this version may not make.

    The condition is of the ReplicaSet's last attempt, so that it ends with the first success.
    """
    ending = is_ending(pods)
    for each in replica_sets:
        found = condition(each, "ReplicaFailure")
        template = each.get("spec", {}).get("template", {})
        if found.get("status") != "True" or not each["spec"].get("replicas"):
            continue
        if not may_serve({"metadata": {}, **template}, uri):
            continue
        name, message = each["metadata"]["name"], str(found.get("message"))
        text = f"ReplicaSet {name} can't make pods: {found.get('reason')}: {message}"
        settle = SETTLE_SECONDS if is_refusal(message, ending=ending) else HEALS
        yield Failure(f"refused {name}", text, settle=settle)


def refused_objects(service: Object, events: list[Object], now: datetime) -> Iterator[Failure]:
    """What KServe may not make for this spec, such as a canary's Deployment."""
    changed = changed_at(service)
    for event in events_of(service["metadata"]["name"], events, "InternalError"):
        message, last = str(event.get("message")), seen_at(event)
        if not is_refusal(message) or changed is None or last < changed:
            continue
        if now <= last + (last - changed) + SPARE:
            yield Failure("refused", f"KServe reports {event.get('reason')}: {message}")


def is_ending(pods: Iterable[Object]) -> bool:
    """Whether a pod is being deleted."""
    return any(pod["metadata"].get("deletionTimestamp") for pod in pods)
