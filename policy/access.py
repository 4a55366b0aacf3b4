"""Who may do what: nothing for everybody, no role of everything, no keys that can leak."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from policy.properties import at, kind, mappings, texts
from policy.rule import Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
# Cloud Storage's canned access lists that let the public in.
PUBLIC_LISTS = frozenset({"publicRead", "publicReadWrite", "authenticatedRead"})
# The basic roles of IAM, and those that may change or delete any object of a bucket.
BROAD_ROLES = frozenset(
    {
        "roles/owner",
        "roles/editor",
        "roles/viewer",
        "roles/storage.admin",
        "roles/storage.objectAdmin",
    }
)
KEYS = frozenset({"gcp:serviceaccount/key:Key", "gcp:storage/hmacKey:HmacKey"})


def public_grants(resource: Resource) -> Iterator[str]:
    """A message for each way in which a resource of Google Cloud lets the public in.

    Members stand in `member` and `members`, access lists in `entity`, `roleEntities` (`ROLE:WHO`)
    and `predefinedAcl`, whole policies as JSON in `policyData`.
    """
    if not resource.type.startswith("gcp:"):
        return
    properties = resource.properties
    named = [
        *(member for policy in _bindings(properties) for member in texts(at(policy, "members"))),
        *(who for key in ("member", "members", "entity") for who in texts(at(properties, key))),
        *(each.rpartition(":")[2] for each in texts(at(properties, "roleEntities"))),
    ]
    for who in sorted(PUBLIC.intersection(named)):
        yield f"{who} is everybody"
    canned = at(properties, "predefinedAcl")
    if canned in PUBLIC_LISTS:
        yield f"predefinedAcl {canned} lets the public in"


def _bindings(properties: object) -> list[Any]:
    """The bindings of a policy that is given whole, as the provider takes it: JSON."""
    text = at(properties, "policyData")
    try:
        return list(mappings(at(json.loads(text), "bindings"))) if isinstance(text, str) else []
    except ValueError:
        return []


def _wildcards(resource: Resource) -> Iterable[str]:
    if resource.type.startswith("gcp:"):
        granted = [at(resource.properties, "role")]
        granted += [at(binding, "role") for binding in _bindings(resource.properties)]
        for role in granted:
            if isinstance(role, str) and role in BROAD_ROLES:
                yield f"{role} allows more than any part of this program needs"
    if kind(resource.type) in {"Role", "ClusterRole"}:
        yield from _rule_wildcards(resource.properties)
    if kind(resource.type) in {"RoleBinding", "ClusterRoleBinding"}:
        name = at(resource.properties, "roleRef", "name")
        if name == "cluster-admin":
            yield "roleRef cluster-admin allows everything"


def _rule_wildcards(properties: object) -> Iterator[str]:
    for index, rule in enumerate(mappings(at(properties, "rules"))):
        for key in ("apiGroups", "resources", "verbs"):
            # `*/scale` is a wildcard as well: the subresource of everything.
            if any(each == "*" or each.startswith("*/") for each in texts(at(rule, key))):
                yield f"rules[{index}].{key} has a wildcard"


def _keys(resource: Resource) -> Iterable[str]:
    if resource.type in KEYS:
        yield "a key of a service account works for whoever finds it, from anywhere, for years"


RULES = (
    Rule(
        "no-wildcard-roles",
        "Roles name what they allow.",
        "grant the narrowest role, and name API groups, resources and verbs",
        _wildcards,
    ),
    Rule(
        "no-service-account-keys",
        "Accounts act without keys.",
        "bind the account by Workload Identity: pulumi config set --path identity.create true",
        _keys,
    ),
)
