"""The generated reference is current, and the schema accepts what the program accepts."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.config import reference
from infra.config.backends import PARAMETERS
from infra.config.problems import PROJECT, ConfigError
from infra.config.settings import Settings
from tests.infra.program import ROOT, filled_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STACKS = sorted(ROOT.glob("Pulumi.*.yaml"))
STORAGE = {"bucket": "some-models", "project": "some-project"}
VALUES = {
    "boolean": st.booleans(),
    "integer": st.integers(-1, 5000),
    "number": st.floats(-1, 100, allow_nan=False) | st.integers(-1, 5000),
    "string": st.sampled_from(["models", "Knative", "500m", "nvidia-l4", "26.05-py3", "", "A b"]),
    "array": st.lists(st.sampled_from(["zone", "node", "nvcr.io", 1, 32, "A b"]), max_size=3),
    "null": st.none(),
}


def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / reference.SCHEMA).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


VALIDATOR = validator()


def stack_file(keys: dict[str, Any]) -> dict[str, Any]:
    """A stack's file that has these keys beside those that are required."""
    values = {"storage": STORAGE, "models": {"digits": {}}} | keys
    return {"config": {f"{PROJECT}:{key}": value for key, value in values.items()}}


def settings() -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """The path of each setting that is a plain value or a list, with the types it may have."""
    properties = VALIDATOR.schema["properties"]["config"]["properties"]
    for key, schema in properties.items():
        name = key.removeprefix(f"{PROJECT}:")
        yield from _settings((name,), schema)
    yield from _settings(("models", "digits"), {"$ref": "#/$defs/ModelSettings"})


def _settings(path: tuple[str, ...], schema: dict[str, Any]) -> Iterator[tuple[Any, set[str]]]:
    alternatives = [_resolved(each) for each in schema.get("anyOf", [schema])]
    for each in alternatives:
        for name, inner in each.get("properties", {}).items():
            yield from _settings((*path, name), inner)
    listed = [each.get("type", []) for each in alternatives]
    types = {name for each in listed for name in ([each] if isinstance(each, str) else each)}
    types &= set(VALUES)
    if types:
        yield path, types


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/$defs/")
    return dict(VALIDATOR.schema["$defs"][name]) if name else schema


def with_value(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A stack's file with one setting changed."""
    changed: dict[str, Any] = {"storage": dict(STORAGE), "models": {"digits": {}}}
    place = changed
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = value
    return stack_file(changed)


SETTINGS = list(settings())


@st.composite
def changed_files(draw: st.DrawFn) -> dict[str, Any]:
    path, types = draw(st.sampled_from(SETTINGS))
    return with_value(path, draw(st.one_of([VALUES[each] for each in sorted(types)])))


@pytest.mark.parametrize("name", reference.FILES)
def test_a_generated_file_is_current(name: str) -> None:
    text = (ROOT / name).read_text()
    assert reference.FILES[name](text) == text, "run: .venv/bin/python -m infra.config.reference"


def test_the_page_names_every_parameter_of_a_backend() -> None:
    rows = [line.split(" | ") for line in (ROOT / reference.PAGE).read_text().splitlines()]
    formats = {row[0].strip("|` "): row[-1].strip("| ") for row in rows if len(row) == 4}
    for format, parameters in PARAMETERS.items():
        assert sorted(formats[format].replace("`", "").split(", ")) == sorted(parameters)


def test_every_setting_has_a_description() -> None:
    rows = [line.split(" | ") for line in reference.tables().splitlines() if "| `" in line]
    assert len(rows) > 90
    assert all(row[2].removesuffix(" |").strip() for row in rows)


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.name)
def test_a_stacks_file_names_the_schema_and_keeps_it(path: Path) -> None:
    assert path.read_text().startswith(f"# yaml-language-server: $schema={reference.SCHEMA}\n")
    VALIDATOR.validate(yaml.safe_load(filled_in(path.name.split(".")[1])))


def test_the_schema_refuses_what_is_still_to_be_filled_in() -> None:
    assert not VALIDATOR.is_valid(yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text()))


@given(changed_files())
def test_the_schema_accepts_what_the_program_accepts(file: dict[str, Any]) -> None:
    values = {key.removeprefix(f"{PROJECT}:"): each for key, each in file["config"].items()}
    try:
        Settings.parse(deepcopy(values))
    except ConfigError:
        return
    VALIDATOR.validate(file)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("deviec",), "gpu"),
        (("device",), "tpu"),
        (("release",), "b9839067939a"),
        (("storage", "buckets"), "other"),
        (("storage", "softDeleteDays"), 91),
        (("predictor", "cpu"), "four"),
        (("predictor", "memory"), "4 GB"),
        (("triton", "maxBatchSize"), "many"),
        (("network", "clientNamespaces"), "shop"),
        (("models", "digits", "namespace"), "other"),
        (("models", "digits", "perf", "rate"), 0),
        (("models", "digits", "canary"), {"trafficPercent": 10}),
        (("models",), {}),
        (("models",), {"digits": None}),
    ],
)
def test_program_and_schema_refuse_a_wrong_key_or_value(path: tuple[str, ...], value: Any) -> None:
    file = with_value(path, value)
    values = {key.removeprefix(f"{PROJECT}:"): each for key, each in file["config"].items()}
    with pytest.raises(ConfigError):
        Settings.parse(values)
    assert not VALIDATOR.is_valid(file)


@pytest.mark.parametrize("missing", ["storage", "models"])
def test_the_schema_refuses_a_file_without_a_required_key(missing: str) -> None:
    file = stack_file({})
    del file["config"][f"{PROJECT}:{missing}"]
    assert not VALIDATOR.is_valid(file)


def test_the_schema_accepts_keys_of_other_providers_and_of_the_cli() -> None:
    file = stack_file({"createNamespace": "false"})
    file["config"]["gcp:project"] = "some-project"
    VALIDATOR.validate({"encryptionsalt": "v1:x", "secretsprovider": "gcpkms://x", **file})
