"""The configuration's reference, generated from the settings: `python -m infra.config.reference`.

Writes the tables in docs/configuration.md, the JSON Schema of the stack files in
docs/stack.schema.json and the `config` block of Pulumi.yaml. A test fails when one is not current.
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import PydanticUndefined

from infra.config import ModelSettings, StackSettings
from infra.config import types as t
from infra.config.settings import MODEL_ONLY
from release.stacks import PROJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic.fields import FieldInfo
    from pydantic_core.core_schema import StringSchema, WithDefaultSchema

ROOT = Path(__file__).parents[2]
PAGE, SCHEMA = "docs/configuration.md", "docs/stack.schema.json"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
MODELS = "the models to serve, by name; each is {} or an object with its own keys"
# Every Google resource names its project. Without this the provider warns that none is set.
OTHERS = {"gcp:disableGlobalProjectWarning": {"value": True}}
_TYPES: dict[Any, str] = {bool: "boolean", int: "integer"}


def tables() -> str:
    """Markdown: keys of a stack, keys that models may override, keys of single models."""
    models = _rows(ModelSettings, "")
    single = [row for row in models if row[0].split(".")[0] in MODEL_ONLY]
    sections = {
        "Keys of a stack": [*_rows(StackSettings, ""), ("models", "required", MODELS)],
        "Keys of a stack that each model may override": [
            row for row in models if row not in single
        ],
        "Keys of a single model, under `models.NAME`": single,
    }
    return "\n\n".join(f"## {heading}\n\n{_table(rows)}" for heading, rows in sections.items())


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{key}` | {default} | {meaning} |" for key, default, meaning in rows]
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *lines])


def _rows(section: type[BaseModel], prefix: str) -> list[tuple[str, str, str]]:
    """(key, default, meaning) of every setting, with the keys of sections dotted."""
    rows = []
    for name, field in _fields(section):
        inner = _section(field)
        if inner:
            rows += _rows(inner, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", _default(field), field.description or ""))
    return rows


def _fields(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Fields by the name that a stack's file uses."""
    return ((field.alias or name, field) for name, field in section.model_fields.items())


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, optional or not; None for other values."""
    if get_origin(field.annotation) is tuple:
        return None
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory:
        return "published"
    return f"`{json.dumps(_plain(field.default))}`"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def declarations() -> dict[str, dict[str, Any]]:
    """The `config` of Pulumi.yaml, which the CLI checks before it starts the program."""
    entries = {}
    for name, field in (*_fields(StackSettings), *_fields(ModelSettings)):
        if name in MODEL_ONLY or NoneType in get_args(field.annotation):
            # The CLI wants a value for each declared key, and this one may have none.
            continue
        entry: dict[str, Any] = {"type": _type(field), "description": field.description}
        if entry["type"] == "array":
            entry["items"] = {"type": "string"}
        if field.default is not PydanticUndefined:
            entry["default"] = {} if _section(field) else _plain(field.default)
        entries[name] = entry
    return entries | {"models": {"type": "object", "description": MODELS}}


def _type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "array"
    return "object" if _section(field) else _TYPES.get(field.annotation, "string")


class _Generator(GenerateJsonSchema):
    """JSON Schema without titles, and without defaults that only repeat a section's own."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def str_schema(self, schema: StringSchema) -> dict[str, Any]:
        # A number stands for its text: see Section.
        return super().str_schema(schema) | {"type": ["string", "number"]}

    def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
        if isinstance(schema.get("default"), BaseModel):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def stack_schema() -> dict[str, Any]:
    """JSON Schema of the file Pulumi.STACK.yaml.

    It accepts what the program accepts, key by key. Rules over several keys, and rules that a
    pattern cannot express, are the program's alone.
    """
    sections: list[tuple[type[BaseModel], Any]] = [
        (StackSettings, "validation"),
        (ModelSettings, "validation"),
    ]
    _, schema = models_json_schema(sections, by_alias=True, schema_generator=_Generator)
    definitions: dict[str, Any] = schema["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
    stack = definitions.pop("StackSettings")
    shared = definitions["ModelSettings"]["properties"]
    keys = stack["properties"] | {
        name: value for name, value in shared.items() if name not in MODEL_ONLY
    }
    keys["models"] = {
        "type": "object",
        "description": MODELS,
        "minProperties": 1,
        "propertyNames": TypeAdapter(t.ModelName).json_schema(),
        "additionalProperties": {"$ref": "#/$defs/ModelSettings"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack of kserve-triton: Pulumi.STACK.yaml",
        "type": "object",
        "required": ["config"],
        "additionalProperties": False,
        "properties": {
            "config": {
                "type": "object",
                "required": [f"{PROJECT}:{name}" for name in (*stack["required"], "models")],
                "properties": {f"{PROJECT}:{name}": _top(value) for name, value in keys.items()},
                # Other providers' keys, such as gcp:project.
                "patternProperties": {f"^(?!{PROJECT}:)[^:]+:": True},
                "additionalProperties": False,
            },
            # Written by the Pulumi CLI.
            "environment": True,
            "encryptionsalt": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "secretsprovider": {"type": "string"},
        },
        "$defs": definitions,
    }


def _top(value: dict[str, Any]) -> dict[str, Any]:
    """A key at the top, where `pulumi config set KEY true` writes the text "true"."""
    if value.get("type") != "boolean":
        return value
    rest = {name: each for name, each in value.items() if name != "type"}
    return {"enum": [True, False, "true", "false"], **rest}


def page(text: str) -> str:
    """docs/configuration.md with its tables generated again."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.split(END)[1]}"


def project(text: str) -> str:
    """Pulumi.yaml with its `config` block generated again."""
    head = text.split("\nconfig:\n", maxsplit=1)[0].rstrip("\n")
    block = yaml.safe_dump({"config": OTHERS | declarations()}, sort_keys=False, width=100)
    return f"{head}\n{block}"


def schema(_: str) -> str:
    """docs/stack.schema.json."""
    return json.dumps(stack_schema(), indent=2, ensure_ascii=False) + "\n"


FILES: dict[str, Callable[[str], str]] = {PAGE: page, SCHEMA: schema, "Pulumi.yaml": project}


def main(arguments: list[str]) -> None:
    """Write the files; with `--check` only exit with the names of those that are not current."""
    texts = {name: (ROOT / name).read_text() for name in FILES}
    changed = {name: FILES[name](text) for name, text in texts.items() if FILES[name](text) != text}
    if "--check" in arguments and changed:
        sys.exit(f"not current: {', '.join(changed)}; run: python -m infra.config.reference")
    for name, text in changed.items():
        (ROOT / name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
