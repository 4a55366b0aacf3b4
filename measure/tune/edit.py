"""Sets a value in a YAML text and leaves all other bytes unchanged. Pure.

No library keeps comments, quotes, order and line breaks of a file. So the parser only gives
positions at which the text is changed; then the result is parsed and compared.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EditError", "set_value"]

INDENT = 2


class EditError(Exception):
    """The text can't be edited; the message says where."""


def set_value(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with `value` at a path of mapping keys, those that are missing added.

    Raises EditError.
    """
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise EditError(f"not YAML: {error}") from error
    made = _edited(text, root, list(path), value)
    wanted = _set(yaml.safe_load(text), path, value)
    try:
        same = yaml.safe_load(made) == wanted
    except yaml.YAMLError:
        same = False
    if not same:
        raise EditError(f"{'.'.join(path)}: it can't be set there without changing more")
    return made


def _edited(text: str, node: Any, path: list[str], value: Any) -> str:
    """Follow the path to its end, or to the last mapping that exists."""
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise EditError(f"{'.'.join(path[:depth]) or 'the text'}: found no mapping")
        found = next((each for name, each in node.value if name.value == key), None)
        if found is None:
            return _added(text, node, key, _nested(path[depth + 1 :], value))
        node = found
    start, end = node.start_mark.index, _end(text, node)
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    new = _in_block(text, node.start_mark.column, value) if block else _flow(value)
    return text[:start] + new + text[end:]


def _in_block(text: str, column: int, value: Any) -> str:
    """A replacement of a block: a list in block style, any other value indented."""
    if isinstance(value, list) and value:
        return (_newline(text) + " " * column).join(f"- {_flow(each)}" for each in value)
    return " " * INDENT + _flow(value)


def _added(text: str, node: yaml.MappingNode, key: str, value: Any) -> str:
    """Add a key after the last one, in the mapping's own style."""
    entry = f"{_key(key)}: {_flow(value)}"
    if not node.value:  # {}
        at = node.start_mark.index + 1
        return f"{text[:at]}{entry}{text[at:]}"
    last = _end(text, node.value[-1][1])
    if node.flow_style:
        return f"{text[:last]}, {entry}{text[last:]}"
    newline = _newline(text)
    lines = newline.join(_block(key, value, node.value[0][0].start_mark.column))
    if text[:last].endswith("\n"):  # A block scalar ends with its line.
        return f"{text[:last]}{lines}{newline}{text[last:]}"
    at = text.find("\n", last)
    if at < 0:
        return f"{text}{newline}{lines}"
    return f"{text[: at + 1]}{lines}{newline}{text[at + 1 :]}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _block(key: str, value: Any, column: int) -> list[str]:
    """Lines in block style."""
    start = " " * column + _key(key) + ":"
    if not isinstance(value, dict) or not value:
        return [f"{start} {_flow(value)}"]
    inner = [line for name, each in value.items() for line in _block(name, each, column + INDENT)]
    return [start, *inner]


def _end(text: str, node: Any) -> int:
    """The end of a value's text; the parser's end of a block is the start of the next node."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _set(data: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of `data` with the value at the path only, also where YAML aliases share an object."""
    if not path:
        return value
    inner = data if isinstance(data, dict) else {}
    return {**inner, path[0]: _set(inner.get(path[0]), path[1:], value)}


def _flow(value: Any) -> str:
    """A value in flow style, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """A plain key if YAML reads it as the same text, else a quoted one."""
    try:
        plain = yaml.safe_load(f"{{{name}: 0}}") == {name: 0}
    except yaml.YAMLError:
        plain = False
    return name if plain else json.dumps(name)
