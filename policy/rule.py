"""What a rule is: what it demands, how to mend a breach, and a pure check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Resource:
    """A resource as the engine is about to register it.

    `type` is Pulumi's token, such as `gcp:storage/bucket:Bucket`; `properties` are its inputs;
    `settings` are what the pack's configuration says to the rule that looks at it.
    """

    type: str
    properties: Mapping[str, Any]
    protect: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """A demand on single resources.

    `check` yields a message for each breach, as it finds it: where a property is not known before
    the update, the SDK ends the check there, and what was found until then still counts.
    `schema` describes the settings, each with its default, in JSON Schema.
    """

    name: str
    description: str
    remedy: str
    check: Callable[[Resource], Iterable[str]]
    schema: Schema = field(default_factory=dict)

    def violations(self, resource: Resource) -> list[str]:
        """Every breach, with its remedy."""
        return list(self.messages(resource))

    def messages(self, resource: Resource) -> Iterable[str]:
        """As `violations`, one by one."""
        for found in self.check(resource):
            yield f"{found}; {self.remedy}"
