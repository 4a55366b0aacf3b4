"""Property paths are read as Pulumi writes them, and never show a secret."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.preview import Change, Kind, State
from review.properties import ASSET, SECRET, SIGNATURE, UNKNOWN, asset_text, old_and_new, parse_path

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
    assert parse_path(path) == keys


@given(st.text())
def test_every_text_is_some_path(path: str) -> None:
    assert isinstance(parse_path(path), tuple)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("path", ["a", "a.b", "a.ciphertext", "a.plaintext", "a[0]", ""])
def test_a_secret_is_never_shown(secret: Any, path: str) -> None:
    assert "hidden" not in str(old_and_new(_change({"a": secret}, {"a": "plain"}), path))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_inside_a_value_is_never_shown(secret: Any) -> None:
    assert old_and_new(_change({"a": {"b": [secret]}}, {"a": 1}), "a")[0] == '{"b": ["[secret]"]}'


def test_a_secret_on_one_side_masks_both() -> None:
    change = _change({"a": SECRETS[0]}, {"a": "now plain"})
    assert old_and_new(change, "a") == ("[secret]", "[secret]")


def test_a_kubernetes_secret_needs_no_mark() -> None:
    change = _change({"data": {"k": "1"}}, {"data": {"k": "2"}}, "kubernetes:core/v1:Secret")
    assert old_and_new(change, "data.k") == ("[secret]", "[secret]")


def test_a_value_known_only_after_the_update_is_marked() -> None:
    assert old_and_new(_change({"a": 1}, {"a": UNKNOWN}), "a") == ("1", "[unknown]")


def test_a_property_without_an_input_is_read_from_the_outputs() -> None:
    state = State(inputs={}, outputs={"a": 1})
    assert old_and_new(Change("urn", Kind.UPDATE, state, None, (), ()), "a") == ("1", None)


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
