"""JSON files of others, read into typed values or refused in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from review.escape import line

if TYPE_CHECKING:
    from pathlib import Path

# Deeper than anything that Pulumi or Kubernetes writes, and safely below Python's own limit.
MAX_DEPTH = 100


class ReviewError(Exception):
    """The comment can't be made; the message is one line for the person at the terminal."""


class Document(BaseModel):
    """Part of a JSON document: frozen, what is not asked for is ignored, no NaN."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


T = TypeVar("T", bound=Document)


def read(path: Path, kind: type[T], what: str) -> T:
    """The file as `kind`; raises ReviewError, naming the file and its first problem."""
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise ReviewError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ReviewError(f"{path}: not JSON: {line(str(error), 100)}") from error
    if _deeper_than(value, MAX_DEPTH):
        raise ReviewError(f"{path}: no {what}: nested deeper than {MAX_DEPTH}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = line(".".join(str(part) for part in first["loc"]), 100)
        at = f" at {where}" if where else ""
        raise ReviewError(f"{path}: no {what}: {line(first['msg'], 200)}{at}") from error


def dig(value: Any, *keys: str | int) -> Any:
    """What lies at a path of keys in nested objects and arrays; None where there is nothing."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def text(value: Any) -> str | None:
    """A string as it is; None for all else."""
    return value if isinstance(value, str) else None


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
