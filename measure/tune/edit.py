"""One value set in a YAML text, every other byte left as it is. Pure.

No tool that loads and dumps keeps comments, quotes, order and line breaks of a file all at once. So
the parser is only asked where things are, and the text is changed there; then the result is parsed,
and must say what the old text said but for that value.
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
    """The text is written in a way that this can't edit; says where."""


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
    """Down to where the path ends, or to the last mapping that is there."""
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise EditError(f"{'.'.join(path[:depth]) or 'the text'}: found no mapping")
        found = next((each for name, each in node.value if name.value == key), None)
        if found is None:
            return _added(text, node, key, _nested(path[depth + 1 :], value))
        node = found
    start, end = node.start_mark.index, _end(text, node)
    block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    new = _in_block(text, node.start_mark.column, value) if block else _written(value)
    return text[:start] + new + text[end:]


def _in_block(text: str, column: int, value: Any) -> str:
    """Instead of a block: a list in its style, anything else further in than its key can be."""
    if isinstance(value, list) and value:
        return (_newline(text) + " " * column).join(f"- {_written(each)}" for each in value)
    return " " * INDENT + _written(value)


def _added(text: str, node: yaml.MappingNode, key: str, value: Any) -> str:
    """A key more: after the last one, in the mapping's own style."""
    entry = f"{_key(key)}: {_written(value)}"
    if not node.value:  # {}
        at = node.start_mark.index + 1
        return f"{text[:at]}{entry}{text[at:]}"
    last = _end(text, node.value[-1][1])
    if node.flow_style:
        return f"{text[:last]}, {entry}{text[last:]}"
    newline = _newline(text)
    lines = newline.join(_block(key, value, node.value[0][0].start_mark.column))
    if text[:last].endswith("\n"):  # A block of text: it ends with its line.
        return f"{text[:last]}{lines}{newline}{text[last:]}"
    at = text.find("\n", last)
    if at < 0:
        return f"{text}{newline}{lines}"
    return f"{text[: at + 1]}{lines}{newline}{text[at + 1 :]}"


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _block(key: str, value: Any, column: int) -> list[str]:
    """In block style, a line each."""
    start = " " * column + _key(key) + ":"
    if not isinstance(value, dict) or not value:
        return [f"{start} {_written(value)}"]
    inner = [line for name, each in value.items() for line in _block(name, each, column + INDENT)]
    return [start, *inner]


def _end(text: str, node: Any) -> int:
    """Behind a value's last character; the parser has blocks end where the next thing begins."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _set(data: Any, path: Sequence[str], value: Any) -> Any:
    """A copy of `data` with the value at the path, and nowhere else that YAML has it stand for."""
    if not path:
        return value
    inner = data if isinstance(data, dict) else {}
    return {**inner, path[0]: _set(inner.get(path[0]), path[1:], value)}


def _written(value: Any) -> str:
    """In flow style, on one line, as people write it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    """Plain where YAML reads it back as this very text."""
    try:
        plain = yaml.safe_load(f"{{{name}: 0}}") == {name: 0}
    except yaml.YAMLError:
        plain = False
    return name if plain else json.dumps(name)
