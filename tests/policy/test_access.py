"""Nobody is everybody, roles name what they allow, accounts have no keys."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy.access import BROAD_ROLES, PUBLIC
from tests.policy.resources import MEMBER, ROLE, broken, changed, role

VIEWER = "roles/storage.objectViewer"
SOMEBODY = "user:somebody@example.com"
IAM = {
    "bucket": "gcp:storage/bucketIAMBinding:BucketIAMBinding",
    "account": "gcp:serviceaccount/iAMBinding:IAMBinding",
    "project": "gcp:projects/iAMBinding:IAMBinding",
}


def policy(role: str, *members: str) -> dict[str, Any]:
    """A whole policy, as the provider takes it."""
    return {"policyData": json.dumps({"bindings": [{"role": role, "members": list(members)}]})}


@pytest.mark.parametrize("who", sorted(PUBLIC))
@pytest.mark.parametrize(
    ("token", "key", "form"),
    [
        (MEMBER, "member", "{}"),
        ("gcp:serviceaccount/iAMMember:IAMMember", "member", "{}"),
        ("gcp:projects/iAMMember:IAMMember", "member", "{}"),
        ("gcp:storage/bucketAccessControl:BucketAccessControl", "entity", "{}"),
        ("gcp:storage/defaultObjectAccessControl:DefaultObjectAccessControl", "entity", "{}"),
        ("gcp:storage/objectAccessControl:ObjectAccessControl", "entity", "{}"),
        ("gcp:storage/bucketACL:BucketACL", "roleEntities", "READER:{}"),
    ],
)
def test_the_public_is_seen_wherever_it_is_let_in(
    token: str, key: str, form: str, who: str
) -> None:
    named = form.format(who)
    properties = {key: [named] if key.endswith("s") else named}
    assert list(broken(token, properties)) == ["bucket-private"]


@given(
    st.lists(st.just(SOMEBODY) | st.text(max_size=9)), st.sampled_from(sorted(PUBLIC)), st.data()
)
def test_the_public_is_seen_among_any_members(members: list[str], who: str, data: Any) -> None:
    members.insert(data.draw(st.integers(0, len(members))), who)
    for token in IAM.values():
        (message,) = broken(token, {"role": VIEWER, "members": members})["bucket-private"][:1]
        assert " is everybody; " in message


def test_the_public_is_seen_in_a_policy_given_whole() -> None:
    token = "gcp:storage/bucketIAMPolicy:BucketIAMPolicy"
    assert list(broken(token, policy(VIEWER, SOMEBODY, "allUsers"))) == ["bucket-private"]
    assert broken(token, policy(VIEWER, SOMEBODY)) == {}


@pytest.mark.parametrize("canned", ["publicRead", "publicReadWrite", "authenticatedRead"])
def test_a_canned_list_that_is_public_is_seen(canned: str) -> None:
    token = "gcp:storage/bucketACL:BucketACL"
    assert list(broken(token, {"predefinedAcl": canned})) == ["bucket-private"]
    assert broken(token, {"predefinedAcl": "projectPrivate"}) == {}


@pytest.mark.parametrize("name", sorted(BROAD_ROLES))
@pytest.mark.parametrize("token", [MEMBER, *IAM.values()])
def test_a_broad_role_is_seen(token: str, name: str) -> None:
    assert list(broken(token, {"role": name, "member": SOMEBODY})) == ["no-wildcard-roles"]


def test_a_broad_role_is_seen_in_a_policy_given_whole() -> None:
    token = "gcp:projects/iAMPolicy:IAMPolicy"
    assert list(broken(token, policy("roles/owner", SOMEBODY))) == ["no-wildcard-roles"]


@pytest.mark.parametrize(
    "name", [VIEWER, "roles/storage.objectCreator", "roles/iam.workloadIdentityUser"]
)
def test_the_roles_of_this_program_are_allowed(name: str) -> None:
    assert broken(MEMBER, {"role": name, "member": SOMEBODY}) == {}


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
@pytest.mark.parametrize("key", ["apiGroups", "resources", "verbs"])
@pytest.mark.parametrize("value", [["*"], ["pods", "*"], ["*/scale"]])
def test_a_wildcard_in_a_role_is_seen(kind: str, key: str, value: list[str]) -> None:
    token = ROLE.replace("Role", kind)
    (message,) = broken(token, changed(role(), f"rules/1/{key}", value))["no-wildcard-roles"]
    assert message.startswith(f"rules[1].{key} has a wildcard; ")


def test_a_role_that_names_what_it_allows_is_allowed() -> None:
    assert broken(ROLE, role()) == {}


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_nobody_is_bound_to_cluster_admin(kind: str) -> None:
    token = ROLE.replace("Role", kind)
    bound = {"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}}
    assert list(broken(token, bound)) == ["no-wildcard-roles"]
    assert broken(token, changed(bound, "roleRef/name", "view")) == {}


@pytest.mark.parametrize("token", ["gcp:serviceaccount/key:Key", "gcp:storage/hmacKey:HmacKey"])
def test_a_key_of_an_account_is_seen(token: str) -> None:
    assert list(broken(token, {"serviceAccountId": "models"})) == ["no-service-account-keys"]


def test_an_account_without_a_key_is_allowed() -> None:
    assert broken("gcp:serviceaccount/account:Account", {"accountId": "models"}) == {}
