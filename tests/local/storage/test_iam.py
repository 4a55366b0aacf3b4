"""What a policy allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.storage.iam import PolicyError, Resource, allows, parse

READ, CREATE = "roles/storage.objectViewer", "roles/storage.objectCreator"
GET, LIST, ADD = "storage.objects.get", "storage.objects.list", "storage.objects.create"
MODELS = 'resource.name.startsWith("projects/_/buckets/b/objects/models/")'
LISTED = f'{MODELS} || resource.type == "storage.googleapis.com/Bucket"'


def policy(role: str, expression: str = "", member: str = "user:me@example.com") -> Any:
    binding: dict[str, Any] = {"role": role, "members": [member]}
    if expression:
        binding["condition"] = {"title": "t", "expression": expression}
    return {"bindings": [binding]}


def may(found: Any, permission: str, name: str, *members: str) -> bool:
    return allows(
        parse(found), members or ("user:me@example.com",), permission, Resource("b", name)
    )


def test_a_role_has_its_permissions_and_no_others() -> None:
    found = policy(READ)
    assert may(found, GET, "models/x") and may(found, LIST, "")
    assert not may(found, ADD, "models/x")
    assert may(policy(CREATE), ADD, "models/x")
    assert not may(policy(CREATE), "storage.objects.delete", "models/x")
    assert not may(policy(CREATE), GET, "models/x")


def test_others_have_nothing() -> None:
    assert not may(policy(READ), GET, "models/x", "user:you@example.com")
    assert not allows(parse(policy(READ)), (), GET, Resource("b", "models/x"))


def test_a_condition_bounds_it_to_a_prefix() -> None:
    found = policy(READ, LISTED)
    assert may(found, GET, "models/x") and may(found, LIST, "")
    assert not may(found, GET, "perf/x")
    assert not may(policy(READ, MODELS), LIST, "")
    assert not allows(parse(found), ("user:me@example.com",), GET, Resource("other", "models/x"))


def test_and_binds_tighter_than_or() -> None:
    never = 'resource.type == "nothing"'
    for expression, expected in (
        (f"{never} && {never} || {MODELS}", True),
        (f"{MODELS} || {never} && {never}", True),
        (f"{never} || {MODELS} && {never}", False),
    ):
        assert may(policy(READ, expression), GET, "models/x") is expected


@pytest.mark.parametrize(
    "expression",
    [
        'request.time < timestamp("2030-01-01T00:00:00Z")',
        f"!{MODELS}",
        f"{MODELS} || true",
        'resource.name.endsWith("x")',
        'resource.name == "a\\"b"',
    ],
)
def test_a_condition_that_is_not_understood_is_refused(expression: str) -> None:
    with pytest.raises(PolicyError, match="is not supported here; allowed"):
        parse(policy(READ, expression))


def test_a_role_that_is_not_known_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"'roles/storage\.admin' is not supported here"):
        parse(policy("roles/storage.admin"))


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_prefix_allows_exactly_the_names_that_begin_with_it(prefix: str, name: str) -> None:
    expression = f'resource.name.startsWith("projects/_/buckets/b/objects/{prefix}")'
    try:
        found = parse(policy(READ, expression))
    except PolicyError:
        return  # Quotes, backslashes and operators are not understood, and so refused.
    if name:
        binding = allows(found, ("user:me@example.com",), GET, Resource("b", name))
        assert binding is name.startswith(prefix)
