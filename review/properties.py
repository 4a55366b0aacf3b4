"""Values of properties, found by Pulumi's property paths, on one line each and without secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from review.reading import lookup

if TYPE_CHECKING:
    from review.preview import Change, State

# Pulumi's marks of its own kinds of value; sdk/go/common/resource/sig in its source.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
# A value that is known only after the update; sdk/go/common/resource/plugin.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# What the CLI writes in place of a secret.
MASK = "[secret]"
UNKNOWN_TEXT = "[unknown]"
# Not every version of the SDK marks these as secret.
_SECRET_TYPE, _SECRET_KEYS = "kubernetes:core/v1:Secret", ("data", "stringData")
_PART = re.compile(r"\[\"((?:[^\"\\]|\\.)*)\"\]|\[(\d{1,9})\]|\.?([^.\[\]]+)")


def parse_path(path: str) -> tuple[str | int, ...]:
    """The keys of `a.b[0]["c.d"]`; a text that is no path is one key."""
    keys: list[str | int] = []
    position = 0
    while position < len(path):
        match = _PART.match(path, position)
        if not match:
            return (path,)
        quoted, index, plain = match.groups()
        keys.append(int(index) if index else re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
        position = match.end()
    return tuple(keys)


def old_and_new(change: Change, path: str) -> tuple[str | None, str | None]:
    """The property before and after, each on one line; None where it doesn't exist."""
    old, new = _format(change.old, path), _format(change.new, path)
    if MASK in (old, new):
        # The plain value on one side may be the secret of the other.
        return old and MASK, new and MASK
    return old, new


def asset_text(value: Any) -> str | None:
    """The content of a Pulumi StringAsset; None for a file, a secret or any other value."""
    content = lookup(value, "text") if lookup(value, SIGNATURE) == ASSET else None
    return content if isinstance(content, str) and content not in (MASK, UNKNOWN) else None


def _format(state: State | None, path: str) -> str | None:
    if state is None:
        return None
    keys = parse_path(path)
    if state.type.startswith(_SECRET_TYPE) and keys[:1] and keys[0] in _SECRET_KEYS:
        return MASK
    value = _lookup_plain(state.inputs, keys)
    value = _lookup_plain(state.outputs, keys) if value is None else value
    if value is None:
        return None
    masked = _mask(value)
    if isinstance(masked, str) and masked in (MASK, UNKNOWN_TEXT):
        return masked
    return json.dumps(masked, ensure_ascii=False, sort_keys=True)


def _lookup_plain(value: Any, keys: tuple[str | int, ...]) -> Any:
    """As `lookup`, but it stops at a secret: all that it contains is secret."""
    for key in keys:
        if _is_secret(value):
            return value
        value = lookup(value, key)
    return value


def _mask(value: Any) -> Any:
    """The value with secrets masked, and assets as their path, address or text."""
    if _is_secret(value):
        return MASK
    if isinstance(value, dict):
        if value.get(SIGNATURE) == ASSET:
            return _asset(value)
        return {key: _mask(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_mask(each) for each in value]
    return UNKNOWN_TEXT if value == UNKNOWN else value


def _is_secret(value: Any) -> bool:
    return bool(value == MASK or lookup(value, SIGNATURE) == SECRET)


def _asset(value: dict[str, Any]) -> str:
    for key in ("path", "uri", "text"):
        if isinstance(value.get(key), str) and value[key]:
            return str(value[key])
    return "asset"
