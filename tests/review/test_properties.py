"""Property paths lead where Pulumi means, and never into a secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.preview import Change, Kind, State
from review.properties import ASSET, SECRET, SIGNATURE, UNKNOWN, asset_text, parse, sides

SECRETS = [
    {SIGNATURE: SECRET, "ciphertext": "hidden"},
    {SIGNATURE: SECRET, "plaintext": '"hidden"'},
    "[secret]",
]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("spec.predictor.minReplicas", ("spec", "predictor", "minReplicas")),
        ("a[0].b", ("a", 0, "b")),
        ('m.annotations["a.b/c"]', ("m", "annotations", "a.b/c")),
        ('["a\\"b"]', ('a"b',)),
        ("a[", ("a[",)),
    ],
)
def test_a_path_is_its_keys(path: str, keys: tuple[str | int, ...]) -> None:
    assert parse(path) == keys


@given(st.text())
def test_every_text_is_some_path(path: str) -> None:
    assert isinstance(parse(path), tuple)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("path", ["a", "a.b", "a.ciphertext", "a.plaintext", "a[0]", ""])
def test_a_secret_is_never_shown(secret: Any, path: str) -> None:
    assert "hidden" not in str(sides(_change({"a": secret}, {"a": "plain"}), path))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_inside_a_value_is_never_shown(secret: Any) -> None:
    assert sides(_change({"a": {"b": [secret]}}, {"a": 1}), "a")[0] == '{"b": ["[secret]"]}'


def test_what_was_secret_stays_so_on_the_other_side() -> None:
    change = _change({"a": SECRETS[0]}, {"a": "now plain"})
    assert sides(change, "a") == ("[secret]", "[secret]")


def test_a_kubernetes_secret_is_one_without_a_mark() -> None:
    change = _change({"data": {"k": "1"}}, {"data": {"k": "2"}}, "kubernetes:core/v1:Secret")
    assert sides(change, "data.k") == ("[secret]", "[secret]")


def test_what_is_known_only_later_is_said_to_be() -> None:
    assert sides(_change({"a": 1}, {"a": UNKNOWN}), "a") == ("1", "[unknown]")


def test_what_is_not_asked_for_is_looked_up_in_what_there_is() -> None:
    state = State(inputs={}, outputs={"a": 1})
    assert sides(Change("urn", Kind.UPDATE, state, None, (), ()), "a") == ("1", None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        {"text": "x"},
        {SIGNATURE: ASSET, "path": "x"},
        {SIGNATURE: SECRET, "text": "x"},
    ],
)
def test_only_a_string_asset_has_text(value: Any) -> None:
    assert asset_text(value) is None


def _change(old: dict[str, Any], new: dict[str, Any], kind: str = "x:y:Z") -> Change:
    states = (State(type=kind, inputs=old), State(type=kind, inputs=new))
    return Change("urn", Kind.UPDATE, *states, (), ())
