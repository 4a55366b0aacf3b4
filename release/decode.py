"""JSON as frozen dataclasses: the annotations of a class are the schema of its document.

Annotations may be dataclasses, str, int, float, bool, Literal, tuple, dict with str keys,
`… | None`, and Any for whatever JSON there is.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
Path = tuple[str | int, ...]

# JSON's numbers are exact up to here (RFC 8259, section 6).
LARGEST_INTEGER = 2**53
MAX_SHOWN = 60


def decode(kind: type[T], text: bytes) -> T:
    """Decode a document as an instance of a dataclass; raises ValueError as `instance` does."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    return instance(kind, value)


def instance(kind: type[T], value: Any) -> T:
    """Make an instance of a dataclass from an object of JSON.

    Values are kept as they are: an integer where a float is allowed stays an integer. Raises
    ValueError, which names the first wrong field, what was found and what is allowed.
    """
    made: T = _value(kind, value, ())
    return made


def _value(kind: Any, value: Any, path: Path) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _instance(kind, value, path)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _tuple(arguments, value, path)
    if origin is dict:
        _check(isinstance(value, dict), value, path, "an object")
        return {key: _value(arguments[1], each, (*path, key)) for key, each in value.items()}
    if origin is Literal:
        _check(value in arguments, value, path, " or ".join(map(repr, arguments)))
        return value
    if type(None) in arguments:
        return None if value is None else _value(arguments[0], value, path)
    name, is_valid = _SCALARS[kind]
    _check(is_valid(value), value, path, name)
    return value


def _instance(kind: Any, value: Any, path: Path) -> Any:
    _check(isinstance(value, dict), value, path, "an object")
    known = {field.name: field for field in fields(kind)}
    types = _types(kind)
    found = {}
    for name, field in known.items():
        if name in value:
            found[name] = _value(types[name], value[name], (*path, name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{_dotted((*path, name))}: missing")
    for name in value.keys() - known.keys():
        raise ValueError(f"{_dotted((*path, name))}: no such field; allowed: {', '.join(known)}")
    return kind(**found)


def _tuple(kinds: tuple[Any, ...], value: Any, path: Path) -> tuple[Any, ...]:
    _check(isinstance(value, list), value, path, "a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    _check(len(value) == len(kinds), value, path, f"a list of {len(kinds)}")
    return tuple(
        _value(kind, each, (*path, index))
        for index, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) <= LARGEST_INTEGER


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (type(value) is float and math.isfinite(value))


_SCALARS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    str: ("a string", lambda value: isinstance(value, str)),
    int: ("an integer", _is_integer),
    float: ("a number", _is_number),
    bool: ("true or false", lambda value: isinstance(value, bool)),
}


@cache
def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _check(valid: bool, value: Any, path: Path, allowed: str) -> None:
    if not valid:
        shown = repr(value)
        shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
        where = f"{_dotted(path)}: " if path else ""
        raise ValueError(f"{where}found {shown}; allowed: {allowed}")


def _dotted(path: Path) -> str:
    """`models.digits[0].digest`, on one line."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    text = "".join(parts).removeprefix(".")
    return text if text.isprintable() else repr(text)
