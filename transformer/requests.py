"""V1 predict bodies: `{"instances": [{"image_bytes": {"b64": "..."}}, ...]}`."""

from __future__ import annotations

from typing import Any

import orjson

from transformer.errors import RequestError

__all__ = ["MAX_INSTANCES", "parse"]

KEYS = ("image_bytes", "image")
SHAPE = '{"instances": [{"image_bytes": {"b64": "..."}}]}'
MAX_INSTANCES = 1024
# JSON of nothing but small values takes some 40 times its size once parsed. Base64 has none of
# these signs, so that counting them bounds the memory before any is taken.
SIGNS = (b"{", b"[", b",")
MAX_SIGNS = 65_536
UNCOUNTED_BYTES = MAX_SIGNS


def parse(body: bytes | bytearray, max_instances: int = MAX_INSTANCES) -> list[str]:
    """The instances' images, still in base64. Raises RequestError."""
    if len(body) > UNCOUNTED_BYTES and sum(body.count(sign) for sign in SIGNS) > MAX_SIGNS:
        raise RequestError(413, f"more than {MAX_SIGNS:,} values in the JSON")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = str(error) if body else "it is empty"
        raise RequestError(400, f"the body is not JSON: {reason}; allowed: {SHAPE}") from error
    instances = found.get("instances") if isinstance(found, dict) else None
    if not isinstance(instances, list):
        raise RequestError(400, f"no list 'instances' in the body; allowed: {SHAPE}")
    if not instances:
        raise RequestError(400, "'instances' is empty; allowed: one image or more")
    if len(instances) > max_instances:
        raise RequestError(413, f"{len(instances):,} instances; allowed: {max_instances:,}")
    return [_image(index, instance) for index, instance in enumerate(instances)]


def _image(index: int, instance: Any) -> str:
    given = [key for key in KEYS if key in instance] if isinstance(instance, dict) else []
    if len(given) != 1:
        message = "image_bytes and image, allowed: one" if given else "no image_bytes.b64"
        raise RequestError(400, f"instance {index}: {message}; allowed: {SHAPE}")
    value = instance[given[0]]
    text = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise RequestError(400, f"instance {index}: {given[0]} has no text 'b64'; allowed: {SHAPE}")
    if not text:
        raise RequestError(400, f"instance {index}: {given[0]}.b64 is empty")
    # Besides being wrong, it takes up to four times the memory.
    if not text.isascii():
        raise RequestError(400, f"instance {index}: wrong base64: characters other than ASCII")
    return text
