"""Rules for access: nothing is public, roles are narrow, accounts have no keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from policy.properties import at, kind, mappings, texts
from policy.rule import Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
# Predefined access lists of Cloud Storage that include the public.
PUBLIC_LISTS = frozenset({"publicRead", "publicReadWrite", "authenticatedRead"})
# Basic roles of IAM, and roles that may change or delete any object of a bucket.
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
    """A message for each way in which a resource of Google Cloud is open to the public.

    Members are in `member` and `members`, access lists in `entity`, `roleEntities`
    (`ROLE:ENTITY`) and `predefinedAcl`, whole policies as JSON in `policyData`.
    """
    if not resource.type.startswith("gcp:"):
        return
    properties = resource.properties
    members = [
        *(each for binding in _bindings(properties) for each in texts(at(binding, "members"))),
        *(each for key in ("member", "members", "entity") for each in texts(at(properties, key))),
        *(each.rpartition(":")[2] for each in texts(at(properties, "roleEntities"))),
    ]
    for member in sorted(PUBLIC.intersection(members)):
        yield f"{member} is everybody"
    predefined = at(properties, "predefinedAcl")
    if predefined in PUBLIC_LISTS:
        yield f"predefinedAcl {predefined} includes the public"


def _bindings(properties: object) -> list[Any]:
    """The bindings in `policyData`, a whole policy as JSON."""
    text = at(properties, "policyData")
    try:
        return list(mappings(at(json.loads(text), "bindings"))) if isinstance(text, str) else []
    except ValueError:
        return []


def _wildcards(resource: Resource) -> Iterable[str]:
    if resource.type.startswith("gcp:"):
        roles = [at(resource.properties, "role")]
        roles += [at(binding, "role") for binding in _bindings(resource.properties)]
        for role in roles:
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
            # `*/scale` is a wildcard too: a subresource of every resource.
            if any(each == "*" or each.startswith("*/") for each in texts(at(rule, key))):
                yield f"rules[{index}].{key} has a wildcard"


def _keys(resource: Resource) -> Iterable[str]:
    if resource.type in KEYS:
        yield "anybody who finds a key of a service account can use it, from anywhere, for years"


RULES = (
    Rule(
        "no-wildcard-roles",
        "Roles list what they allow.",
        "grant the narrowest role, and name API groups, resources and verbs",
        _wildcards,
    ),
    Rule(
        "no-service-account-keys",
        "Service accounts have no keys.",
        "use Workload Identity: pulumi config set --path identity.projectNumber NUMBER",
        _keys,
    ),
)
