"""What a diagnosis finds, and how long it must last before the verification fails."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jobs.verify.rollout import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobs.verify.kubernetes import Object

__all__ = [
    "HEALS",
    "PATIENCE_SECONDS",
    "SETTLE_SECONDS",
    "Failure",
    "Log",
    "about",
    "events_of",
    "is_refusal",
    "newest",
    "seen_at",
]

# Of what can't heal: statuses follow a change with a delay.
SETTLE_SECONDS = 5.0
# Of what heals only if somebody else acts, such as an operator that makes a Secret.
PATIENCE_SECONDS = 60.0
# Of what heals by itself: it is waited for until the deadline.
HEALS = math.inf
# What the API server writes when an admission plugin, a quota, Pod Security or a webhook refuses an
# object. A webhook that can't be reached is another case, and heals: "failed calling webhook".
_REFUSED = re.compile(r"denied the request|is forbidden:|is invalid:")
_CALLED = "failed calling webhook"
_QUOTA = "exceeded quota"


@dataclass(frozen=True)
class Log:
    """The log that likely has the cause: of a container, or of its previous run."""

    pod: str
    container: str
    previous: bool


@dataclass(frozen=True)
class Failure:
    """Why an InferenceService is not ready; final once it has lasted for `settle` seconds.

    `key` identifies the failure while its text changes.
    """

    key: str
    reason: str
    settle: float = SETTLE_SECONDS
    log: Log | None = None


def is_refusal(message: str, *, ending: bool = False) -> bool:
    """Whether an object was refused, as it will be each time.

    Pods that are `ending` may free a quota.
    """
    heals = _CALLED in message or (ending and _QUOTA in message)
    return bool(_REFUSED.search(message)) and not heals


def events_of(name: str, events: Iterable[Object], *reasons: str) -> list[Object]:
    """The events about the object of that name, with one of these reasons if any is given."""
    return [
        event
        for event in events
        if about(event).get("name") == name and (not reasons or event.get("reason") in reasons)
    ]


def newest(events: Iterable[Object]) -> Object | None:
    """The event that was seen last."""
    return max(events, key=seen_at, default=None)


def about(event: Object) -> Mapping[str, Any]:
    """The reference to an event's object."""
    found: Mapping[str, Any] = event.get("involvedObject") or {}
    return found


def seen_at(event: Object) -> datetime:
    """When an event was seen last; the earliest time if that isn't known."""
    # Written by the newer of Kubernetes' two recorders, such as the scheduler's, or by the older.
    series = event.get("series") or {}
    found = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return parse_time(found) or datetime.min.replace(tzinfo=UTC)
