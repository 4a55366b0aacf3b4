"""IAM policies of buckets: roles, conditions, and what they allow.

Roles and permissions are those of "IAM roles for Cloud Storage" and "IAM permissions for JSON
methods", conditions those of "Overview of IAM Conditions", in Google Cloud's documentation. Only
what this project uses is here; a policy with anything else is refused, never read wrongly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["ROLES", "Binding", "PolicyError", "Resource", "allows", "parse"]

_READ = frozenset({"storage.objects.get", "storage.objects.list"})
_CREATE = frozenset({"storage.objects.create"})
_CHANGE = frozenset({"storage.objects.delete", "storage.objects.update"})
ROLES = {
    "roles/storage.objectViewer": _READ,
    "roles/storage.objectCreator": _CREATE,
    "roles/storage.objectUser": _READ | _CREATE | _CHANGE,
}
_TERM = re.compile(
    r"\s*resource\.(?P<field>name|type)\s*"
    r'(?:==\s*"(?P<equal>[^"\\]*)"|\.startsWith\(\s*"(?P<prefix>[^"\\]*)"\s*\))\s*'
)


class PolicyError(Exception):
    """A policy that is not supported here; the message says what is."""


@dataclass(frozen=True)
class Resource:
    """A bucket, or an object in it."""

    bucket: str
    object: str = ""

    @property
    def name(self) -> str:
        """The name that conditions compare."""
        bucket = f"projects/_/buckets/{self.bucket}"
        return f"{bucket}/objects/{self.object}" if self.object else bucket

    @property
    def type(self) -> str:
        """The type that conditions compare."""
        return f"storage.googleapis.com/{'Object' if self.object else 'Bucket'}"


@dataclass(frozen=True)
class Binding:
    """Permissions of members, where the condition holds; an empty one always does."""

    members: frozenset[str]
    permissions: frozenset[str]
    condition: str = ""


def parse(policy: Any) -> list[Binding]:
    """The bindings of a policy as the API has it. Raises PolicyError.

    A binding of a custom role has its `permissions` instead of a `role`.
    """
    bindings = []
    for each in policy.get("bindings", []):
        role = each.get("role")
        if "permissions" not in each and role not in ROLES:
            raise PolicyError(f"role {role!r} is not supported here; allowed: {', '.join(ROLES)}")
        condition = (each.get("condition") or {}).get("expression", "")
        _holds(condition, Resource("any"))
        permissions = frozenset(each.get("permissions") or ROLES[role])
        bindings.append(Binding(frozenset(each["members"]), permissions, condition))
    return bindings


def allows(
    bindings: Iterable[Binding], members: Collection[str], permission: str, resource: Resource
) -> bool:
    """Whether a caller, who is all of `members`, has a permission on a resource."""
    return any(
        permission in each.permissions
        and not each.members.isdisjoint(members)
        and _holds(each.condition, resource)
        for each in bindings
    )


def _holds(expression: str, resource: Resource) -> bool:
    """Evaluate a condition. All terms are read, so that an unsupported one is always refused."""
    if not expression:
        return True
    groups = [
        [_term(term, resource) for term in group.split("&&")] for group in expression.split("||")
    ]
    return any(map(all, groups))


def _term(text: str, resource: Resource) -> bool:
    term = _TERM.fullmatch(text)
    if term is None:
        raise PolicyError(
            f"condition {text.strip()!r} is not supported here; allowed: comparisons of "
            "resource.name or resource.type by == or startsWith, joined by && and ||"
        )
    value: str = getattr(resource, term["field"])
    if term["prefix"] is not None:
        return value.startswith(term["prefix"])
    return value == term["equal"]
