"""What an object must fulfil before it counts as ready."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.plugins.kubernetes import jsonpath

if TYPE_CHECKING:
    from local.plugins.kubernetes.cluster import Object


class Hopeless(Exception):  # noqa: N818 - what it says, not what went wrong
    """The object failed for good. `reasons` say why."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class Requirement(ABC):
    """One thing that must hold."""

    @abstractmethod
    def missing(self, live: Object) -> str | None:
        """What is missing yet; None if it holds. Raises Hopeless."""


@dataclass(frozen=True)
class Condition(Requirement):
    """A condition of the object's status, as `kubectl wait --for=condition=TYPE[=STATUS]`."""

    type: str
    status: str

    def missing(self, live: Object) -> str | None:
        for condition in live.get("status", {}).get("conditions") or ():
            if str(condition.get("type", "")).lower() != self.type.lower():
                continue
            observed = condition.get("observedGeneration")
            if stale := _stale(live, observed):
                return stale
            found = str(condition.get("status", ""))
            if found.lower() == self.status.lower():
                return None
            message = condition.get("message") or condition.get("reason") or ""
            return f"condition {self.type} is {found}" + (f": {message}" if message else "")
        return f"no condition {self.type} yet"


@dataclass(frozen=True)
class Expression(Requirement):
    """A JSONPath into the object."""

    path: jsonpath.JsonPath

    def missing(self, live: Object) -> str | None:
        if stale := _stale(live, None):
            return stale
        found = self.path.missing(live)
        return found and f"waiting for {self.path.text}: {found}"


def parse(text: str) -> Requirement:
    """A requirement of `pulumi.com/waitFor`; raises ValueError."""
    if text.startswith("jsonpath="):
        return Expression(jsonpath.parse(text))
    name, _, status = text.removeprefix("condition=").partition("=")
    if not text.startswith("condition=") or not name:
        raise ValueError(
            f"{text!r}; allowed: condition=TYPE[=STATUS] and jsonpath={{PATH}}[=VALUE]"
        )
    return Condition(name, status or "True")


def _stale(live: Object, observed: int | None) -> str | None:
    """The official plugin's rule: a status counts once it is about the newest generation."""
    generation = live.get("metadata", {}).get("generation")
    if observed is None:
        observed = live.get("status", {}).get("observedGeneration")
    if generation is None or observed is None or observed >= generation:
        return None
    return f"status is of generation {observed}, the object is at {generation}"
