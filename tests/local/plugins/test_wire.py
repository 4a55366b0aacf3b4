"""Encoding of property values, and changes between two of them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from local.plugins.changes import Change, compare, refreshed, under
from local.plugins.wire import UNKNOWN, Asset, Properties, decode, encode, has_unknown, show

SIGNATURE = "4dabf18193072939515e22adb298388d"
keys = st.text(min_size=1).filter(lambda key: key != SIGNATURE)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
values = st.recursive(
    scalars | st.just(UNKNOWN) | st.builds(Asset, text=st.text(), hash=st.just("00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


@given(st.dictionaries(keys, values, max_size=4))
def test_values_come_back_as_they_were(found: dict[str, Any]) -> None:
    assert decode(encode(Properties(found))).values == without_nulls(found)


@given(st.dictionaries(keys, values))
def test_unknown_values_count_as_changes(found: dict[str, Any]) -> None:
    assert bool(compare(found, found)) == has_unknown(found)


@given(st.dictionaries(keys, values), st.dictionaries(keys, values))
def test_refreshed_inputs_are_the_same_without_drift(inputs: Any, outputs: Any) -> None:
    assert refreshed(inputs, outputs, outputs) == inputs


def test_secrets_are_decoded_and_encoded_again() -> None:
    secret = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": {"b": ["c"]}}
    found = decode(struct({"a": secret, "d": [1, secret]}))
    assert found.values == {"a": {"b": ["c"]}, "d": [1, {"b": ["c"]}]}
    assert found.secrets == {("a",), ("d", 1)}
    assert decode(encode(found)) == found


def test_output_values_and_references_are_decoded() -> None:
    output = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4", "value": "x", "secret": True}
    pending = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    reference = {SIGNATURE: "5cf8f73096256a8f31e491e813e4eb8e", "urn": "u", "id": "i"}
    found = decode(struct({"a": output, "b": pending, "c": reference}))
    assert found.values == {"a": "x", "b": UNKNOWN, "c": "i"}
    assert found.secrets == {("a",)}


def test_archives_are_refused_with_their_path() -> None:
    archive = {SIGNATURE: "0def7320c3a5731c473e5ecbe6d01bc7", "path": "."}
    with pytest.raises(ValueError, match="source: archives"):
        decode(struct({"source": archive}))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("a", "b", 0, "c"), "a.b[0].c"),
        (("metadata", "annotations", "pulumi.com/x"), 'metadata.annotations["pulumi.com/x"]'),
        (("a-b", 'q"'), 'a-b["q\\""]'),
    ],
)
def test_paths_have_pulumis_format(path: tuple[str | int, ...], text: str) -> None:
    assert show(path) == text


def test_changes_have_the_paths_of_their_values() -> None:
    old = {"a": 1, "b": [1, {"c": 2}], "d": 1, "t": 1, "u": 1}
    new = {"a": 1, "b": [1, {"c": 3}, 4], "e": 1, "t": True, "u": UNKNOWN}
    assert compare(old, new) == {
        ("b", 1, "c"): Change.UPDATED,
        ("b", 2): Change.ADDED,
        ("d",): Change.REMOVED,
        ("e",): Change.ADDED,
        ("t",): Change.UPDATED,
        ("u",): Change.UPDATED,
    }


def test_a_change_above_a_fixed_property_counts_as_one_of_it() -> None:
    fixed = [("spec", "template")]
    assert under(("spec",), fixed)
    assert under(("spec", "template", "x"), fixed)
    assert not under(("spec", "suspend"), fixed)


def test_drift_is_a_difference_from_the_recorded_values() -> None:
    inputs = {"cpu": "1000m", "labels": {"a": "b", "c": "d"}, "list": [1, 2]}
    recorded = {"cpu": "1", "labels": {"a": "b", "c": "d", "theirs": "1"}, "list": [1, 2]}
    live = {"cpu": "1", "labels": {"a": "x", "theirs": "2"}, "list": [1, 2, 3], "status": {}}
    assert refreshed(inputs, recorded, live) == {
        "cpu": "1000m",
        "labels": {"a": "x"},
        "list": [1, 2, 3],
    }
