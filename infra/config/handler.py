"""Whether a stack's settings suit a release's handler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# Linux takes at most 128 KiB for one environment variable, and so for the parameters.
MAX_PARAMETER_BYTES = 100_000
_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
_KINDS |= {list: "a list", dict: "an object"}


def encode(parameters: Mapping[str, Any]) -> str:
    """The parameters as the transformer gets them."""
    return json.dumps(parameters, sort_keys=True)


def broken_rules(found: Mapping[str, Any], known: Mapping[str, Any] | None) -> list[str]:
    """Every value that a handler doesn't take, as `key: found; allowed`.

    `known` are the release's own values; None: it has no handler.
    """
    if known is None:
        names = ", ".join(found)
        text = f"handler.parameters: found {names} for a release without a handler; allowed: none"
        return [text] if found else []
    broken = [
        f"handler.parameters.{name}: found an unknown parameter; allowed: "
        f"{', '.join(sorted(known)) or 'none'}"
        for name in found.keys() - known.keys()
    ]
    for name in found.keys() & known.keys():
        kind = _kind(known[name])
        if kind and _kind(found[name]) != kind:
            text = json.dumps(found[name], ensure_ascii=False)
            broken.append(f"handler.parameters.{name}: found {text}; allowed: {kind}")
    size = len(encode({**known, **found}))
    if size > MAX_PARAMETER_BYTES:
        broken.append(
            f"handler.parameters: found {size:,} bytes in all; allowed: {MAX_PARAMETER_BYTES:,}; "
            "put large values into a file beside handler.py"
        )
    return sorted(broken)


def _kind(value: Any) -> str | None:
    """What a value is, in the words of a stack's file; None for null."""
    return _KINDS.get(type(value))
