"""V1 predict bodies: `{"instances": [{"image_bytes": {"b64": "..."}}, ...]}`."""

from __future__ import annotations

from typing import Any

import orjson

from transformer.errors import RequestError

__all__ = ["MAX_INSTANCES", "parse"]

KEYS = ("image_bytes", "image")
SHAPE = '{"instances": [{"image_bytes": {"b64": "..."}}]}'
MAX_INSTANCES = 1024
# JSON that consists of small values takes about 40 times its size when parsed. Base64 contains none
# of these characters, so counting them limits the memory before parsing.
STRUCTURAL_CHARACTERS = (b"{", b"[", b",")
MAX_VALUES = 65_536


def parse(body: bytes | bytearray, max_instances: int = MAX_INSTANCES) -> list[str]:
    """The images of the instances, in base64. Raises RequestError."""
    if len(body) > MAX_VALUES and sum(map(body.count, STRUCTURAL_CHARACTERS)) > MAX_VALUES:
        raise RequestError(413, f"more than {MAX_VALUES:,} values in the JSON")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        reason = str(error) if body else "it is empty"
        raise RequestError(400, f"the body is not JSON: {reason}; allowed: {SHAPE}") from error
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RequestError(400, f"no list 'instances' in the body; allowed: {SHAPE}")
    if not instances:
        raise RequestError(400, "'instances' is empty; allowed: one image or more")
    if len(instances) > max_instances:
        raise RequestError(413, f"{len(instances):,} instances; allowed: {max_instances:,}")
    return [_image(index, instance) for index, instance in enumerate(instances)]


def _image(index: int, instance: Any) -> str:
    keys = [key for key in KEYS if key in instance] if isinstance(instance, dict) else []
    if len(keys) != 1:
        message = "image_bytes and image, allowed: one" if keys else "no image_bytes.b64"
        raise RequestError(400, f"instance {index}: {message}; allowed: {SHAPE}")
    value = instance[keys[0]]
    text = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise RequestError(400, f"instance {index}: {keys[0]} has no text 'b64'; allowed: {SHAPE}")
    if not text:
        raise RequestError(400, f"instance {index}: {keys[0]}.b64 is empty")
    # Refused before decoding, since such text takes up to four times the memory.
    if not text.isascii():
        raise RequestError(400, f"instance {index}: wrong base64: characters other than ASCII")
    return text
