"""The configuration's reference, made from the settings: `python -m infra.config.reference`.

Writes the table in README.md and the `config` block of Pulumi.yaml; a test says when they are old.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from infra.config import ModelSettings, StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- configuration: begin -->", "<!-- configuration: end -->"
MODELS = "what is served: an object of models by name, each {} or with keys of its own"
# Each Google resource names its project; the provider would miss one for all of them, at length.
OTHERS = {"gcp:disableGlobalProjectWarning": {"value": True}}
_TYPES = {str(kind): name for kind, name in ((bool, "boolean"), (int, "integer"))}


def rows() -> Iterator[tuple[str, str, str]]:
    """(key, default, meaning) of every setting, sections as dotted keys."""
    for section in (StackSettings, ModelSettings):
        yield from _rows(section, "")
    yield "models", "required", MODELS


def _rows(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        inner = _section(field)
        if inner:
            yield from _rows(inner, f"{key}.")
        else:
            yield key, _default(field), field.description or ""


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field is, or may be."""
    if get_origin(field.annotation) is tuple:
        return None
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    return f"`{json.dumps(_plain(field.default))}`"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def table() -> str:
    """Markdown."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    return "\n".join(
        [*lines, *(f"| `{key}` | {default} | {text} |" for key, default, text in rows())]
    )


def declarations() -> dict[str, dict[str, Any]]:
    """Pulumi.yaml's `config`: what the CLI checks by itself, before the program runs."""
    fields = StackSettings.model_fields | ModelSettings.model_fields
    made = {}
    for name, field in fields.items():
        if NoneType in get_args(field.annotation):
            # A declared key needs a value, and this one may have none.
            continue
        section = _section(field)
        entry: dict[str, Any] = {"type": _type(field), "description": field.description}
        if entry["type"] == "array":
            entry["items"] = {"type": "string"}
        if field.default is not PydanticUndefined:
            entry["default"] = {} if section else _plain(field.default)
        made[field.alias or name] = entry
    return made | {"models": {"type": "object", "description": MODELS}}


def _type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "array"
    return "object" if _section(field) else _TYPES.get(str(field.annotation), "string")


def project(text: str) -> str:
    """Pulumi.yaml with its `config` block made anew."""
    head = text.split("\nconfig:\n", maxsplit=1)[0].rstrip("\n")
    block = yaml.safe_dump({"config": OTHERS | declarations()}, sort_keys=False, width=100)
    return f"{head}\n{block}"


def readme(text: str) -> str:
    """README.md with its table made anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write both."""
    for name, made in (("Pulumi.yaml", project), ("README.md", readme)):
        path = ROOT / name
        path.write_text(made(path.read_text()))


if __name__ == "__main__":
    main()
