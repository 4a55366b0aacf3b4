"""Waiting until an object is ready, or gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local.plugins.kubernetes import requirement
from local.plugins.kubernetes.annotations import SKIP_AWAIT, TIMEOUT, annotation, is_set, wait_for
from local.plugins.kubernetes.jobs import JobIsComplete
from local.plugins.kubernetes.requirement import Hopeless, Requirement
from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.plugins.kubernetes.cluster import Cluster, Object, Place
    from local.plugins.resource import Operation, Values

DEFAULT_SECONDS = 600.0
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5


def requirements(cluster: Cluster, place: Place, inputs: Values) -> list[Requirement]:
    """What an object must fulfil, by its kind and annotations; raises ValueError."""
    if is_set(inputs, SKIP_AWAIT):
        return []
    asked = [requirement.parse(text) for text in wait_for(inputs)]
    if not asked and place.kind.name == "Job":
        return [JobIsComplete(cluster)]
    return asked


def seconds(operation: Operation, inputs: Values) -> float:
    """How long is waited: what the engine says, the annotation, or ten minutes."""
    return operation.timeout or float(annotation(inputs, TIMEOUT) or DEFAULT_SECONDS)


def lacking(live: Object, needed: list[Requirement]) -> list[str]:
    """What is missing now; nothing is waited for."""
    try:
        found = [item.missing(live) for item in needed]
    except Hopeless as error:
        return error.reasons
    return [text for text in found if text is not None]


def until_ready(
    operation: Operation,
    read: Callable[[], Object | None],
    live: Object,
    needed: list[Requirement],
    limit: float,
) -> tuple[Object, list[str]]:
    """Wait; gives the object as it was last, and why it is not ready if it isn't."""
    deadline, pause, said = time.monotonic() + limit, FIRST_PAUSE, ""
    while True:
        try:
            reasons = [text for text in (item.missing(live) for item in needed) if text]
        except Hopeless as error:
            return live, error.reasons
        if not reasons:
            return live, []
        if operation.cancelled.is_set():
            return live, ["cancelled", *reasons]
        if time.monotonic() > deadline:
            return live, [f"not ready within {limit:g} seconds: {text}" for text in reasons]
        if "; ".join(reasons) != said:
            said = "; ".join(reasons)
            operation.status(said)
        operation.cancelled.wait(pause)
        pause = min(pause * 1.5, LAST_PAUSE)
        found = read()
        if found is None:
            return live, ["it was deleted while it was waited for"]
        live = found


def until_gone(operation: Operation, cluster: Cluster, place: Place, limit: float) -> None:
    """Wait until an object is gone or another of its name is there; raises PluginError."""
    deadline, pause, uid, said = time.monotonic() + limit, FIRST_PAUSE, None, ""
    while True:
        live = cluster.get(place)
        if live is None or uid not in (None, live["metadata"]["uid"]):
            return
        uid, held = live["metadata"]["uid"], _held(live)
        if operation.cancelled.is_set():
            raise PluginError(f"{place}: cancelled; its deletion goes on")
        if time.monotonic() > deadline:
            raise PluginError(f"{place} was not gone within {limit:g} seconds; {held}")
        if held != said:
            said = held
            operation.status(f"waiting until it is gone; {held}")
        operation.cancelled.wait(pause)
        pause = min(pause * 1.5, LAST_PAUSE)


def _held(live: Object) -> str:
    """What keeps an object that is being deleted, as far as it tells."""
    finalizers = live["metadata"].get("finalizers") or live.get("spec", {}).get("finalizers") or ()
    conditions = live.get("status", {}).get("conditions") or ()
    messages = [
        str(item.get("message"))
        for item in conditions
        if live["kind"] == "Namespace" and item.get("status") == "True"
    ]
    return ": ".join([f"held by {', '.join(finalizers) or 'nothing that it names'}", *messages])
