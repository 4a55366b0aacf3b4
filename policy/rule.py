"""A rule: its description, its remedy, and a pure check of one resource."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Resource:
    """A resource before the engine registers it.

    `type` is Pulumi's token, such as `gcp:storage/bucket:Bucket`, `properties` are its inputs, and
    `settings` is the configuration of the rule that checks it.
    """

    type: str
    properties: Mapping[str, Any]
    protect: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A rule for single resources.

    `check` yields a message for each violation. It must yield at once: the SDK ends a check that
    reads a property which is unknown before the update, and keeps the messages until then.
    `schema` is the JSON Schema of the rule's settings, with their defaults.
    """

    name: str
    description: str
    remedy: str
    check: Callable[[Resource], Iterable[str]]
    schema: Schema = field(default_factory=dict)

    def violations(self, resource: Resource) -> list[str]:
        """Every violation, with the remedy."""
        return list(self.messages(resource))

    def messages(self, resource: Resource) -> Iterable[str]:
        """The same, one by one."""
        for found in self.check(resource):
            yield f"{found}; {self.remedy}"
