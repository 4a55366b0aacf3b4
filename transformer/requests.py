"""V1 predict bodies: `{"instances": [...]}`."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any

import orjson

from transformer.errors import RequestError

__all__ = ["MAX_INSTANCES", "MAX_PICTURE_VALUES", "MAX_VALUES", "load", "parse"]

SHAPE = '{"instances": [...]}'
MAX_INSTANCES = 1024
# JSON that consists of small values takes about 40 times its size when parsed. Texts rarely contain
# these characters, and base64 none, so counting them limits the memory before parsing.
STRUCTURAL_CHARACTERS = (b"{", b"[", b",")
MAX_VALUES = 2**20
MAX_PICTURE_VALUES = 2**16


def parse(
    body: bytes | bytearray, max_instances: int = MAX_INSTANCES, max_values: int = MAX_VALUES
) -> list[Any]:
    """The instances. Raises RequestError."""
    document = load(body, max_values, SHAPE)
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RequestError(400, f"no list 'instances' in the body; allowed: {SHAPE}")
    if not instances:
        raise RequestError(400, "'instances' is empty; allowed: one instance or more")
    if len(instances) > max_instances:
        raise RequestError(413, f"{len(instances):,} instances; allowed: {max_instances:,}")
    return instances


def load(text: bytes | bytearray | memoryview, max_values: int, shape: str) -> Any:
    """Parse JSON within a limit of memory. Raises RequestError, which shows the allowed `shape`.

    A byte order mark in front is ignored, as RFC 8259, section 8.1 allows.
    """
    if text[: len(BOM_UTF8)] == BOM_UTF8:
        text = memoryview(text)[len(BOM_UTF8) :]
    if len(text) > max_values:
        text = bytes(text)
        if sum(map(text.count, STRUCTURAL_CHARACTERS)) > max_values:
            raise RequestError(413, f"more than {max_values:,} values in the JSON")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = str(error) if text else "it is empty"
        raise RequestError(400, f"the body is not JSON: {reason}; allowed: {shape}") from error
