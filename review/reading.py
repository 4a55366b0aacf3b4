"""Reads JSON files into typed values, or says in one line what is wrong with them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from review.markdown import one_line

if TYPE_CHECKING:
    from pathlib import Path

# Deeper than anything that Pulumi or Kubernetes writes, and below Python's recursion limit.
MAX_DEPTH = 100


class ReviewError(Exception):
    """The comment can't be written; the message is one line for the person at the terminal."""


class Document(BaseModel):
    """Part of a JSON document, with camelCase keys: frozen; other keys are ignored; no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


T = TypeVar("T", bound=Document)


def read(path: Path, kind: type[T], name: str) -> T:
    """Read a file as `kind`; raises ReviewError with the file and its first problem."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ReviewError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReviewError(f"{path}: not JSON: {one_line(str(error), 100)}") from error
    if _deeper_than(value, MAX_DEPTH):
        raise ReviewError(f"{path}: no {name}: nested deeper than {MAX_DEPTH}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = one_line(".".join(str(part) for part in first["loc"]), 100)
        suffix = f" at {place}" if place else ""
        raise ReviewError(f"{path}: no {name}: {one_line(first['msg'])}{suffix}") from error


def lookup(value: Any, *keys: str | int) -> Any:
    """The value at a path of keys in nested objects and arrays; None if there is none."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for each in level for child in _children(each)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
