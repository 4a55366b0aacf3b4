"""Values in a preview: found by Pulumi's property paths, shown on one line, secrets never."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from review.reading import dig

if TYPE_CHECKING:
    from review.preview import Change, State

# By which Pulumi tells its own kinds of value; sdk/go/common/resource/sig in its source.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
# A value that is known only after the update; sdk/go/common/resource/plugin.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# What the CLI writes in a secret's place, and so does this.
BLINDED = "[secret]"
# Not every version of the SDK marks these.
_SECRET_TYPE, _SECRET_KEYS = "kubernetes:core/v1:Secret", ("data", "stringData")
_PART = re.compile(r"\[\"((?:[^\"\\]|\\.)*)\"\]|\[(\d{1,9})\]|\.?([^.\[\]]+)")


def parse(path: str) -> tuple[str | int, ...]:
    """`a.b[0]["c.d"]` as its keys; what is no path is one key."""
    keys: list[str | int] = []
    at = 0
    while at < len(path):
        match = _PART.match(path, at)
        if not match:
            return (path,)
        quoted, index, plain = match.groups()
        keys.append(int(index) if index else re.sub(r"\\(.)", r"\1", quoted) if quoted else plain)
        at = match.end()
    return tuple(keys)


def sides(change: Change, path: str) -> tuple[str | None, str | None]:
    """The property before and after, each on one line; None where there was or will be none."""
    old, new = _shown(change.old, path), _shown(change.new, path)
    if BLINDED in (old, new):
        # What was secret may be what is now plain.
        return old and BLINDED, new and BLINDED
    return old, new


def asset_text(value: Any) -> str | None:
    """The content of a Pulumi StringAsset; None for a file, a secret or anything else."""
    content = dig(value, "text") if dig(value, SIGNATURE) == ASSET else None
    return content if isinstance(content, str) and content not in (BLINDED, UNKNOWN) else None


def _shown(state: State | None, path: str) -> str | None:
    if state is None:
        return None
    keys = parse(path)
    if state.type.startswith(_SECRET_TYPE) and keys[:1] and keys[0] in _SECRET_KEYS:
        return BLINDED
    found = _find(state.inputs, keys)
    found = _find(state.outputs, keys) if found is None else found
    if found is None:
        return None
    plain = blinded(found)
    if isinstance(plain, str) and plain in (BLINDED, "[unknown]"):
        return plain
    return json.dumps(plain, ensure_ascii=False, sort_keys=True)


def _find(value: Any, keys: tuple[str | int, ...]) -> Any:
    """As `dig`, but it stops at a secret: what lies inside is secret too."""
    for key in keys:
        if _is_secret(value):
            return value
        value = dig(value, key)
    return value


def blinded(value: Any) -> Any:
    """The value without secrets, and assets by what they hold."""
    if _is_secret(value):
        return BLINDED
    if isinstance(value, dict):
        if value.get(SIGNATURE) == ASSET:
            return _asset(value)
        return {key: blinded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [blinded(each) for each in value]
    return "[unknown]" if value == UNKNOWN else value


def _is_secret(value: Any) -> bool:
    return bool(value == BLINDED or dig(value, SIGNATURE) == SECRET)


def _asset(value: dict[str, Any]) -> str:
    for key in ("path", "uri", "text"):
        if isinstance(value.get(key), str) and value[key]:
            return str(value[key])
    return "asset"
