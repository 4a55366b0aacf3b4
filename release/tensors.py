"""Tensors as numpy arrays, and as the V2 protocol's binary form.

Source: KServe's V2 inference protocol, "Binary tensor data extension".
"""

from __future__ import annotations

import base64
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from release.schema import DTYPES, Array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from release.schema import Tensor

__all__ = ["array", "decode", "encode", "from_json", "has_shape", "plain", "values"]

UNEQUAL = "allowed: a nested list whose rows have equal lengths"
LENGTH = struct.Struct("<I")


def encode(values: NDArray[Any], dtype: str) -> bytes:
    """The binary form: little-endian elements; of a text its length in 4 bytes, then its UTF-8."""
    if dtype != "BYTES":
        raw: bytes = np.ascontiguousarray(values, DTYPES[dtype]).tobytes()
        return raw
    texts = [each if isinstance(each, bytes) else str(each).encode() for each in values.ravel()]
    return b"".join(LENGTH.pack(len(text)) + text for text in texts)


def decode(raw: bytes | memoryview, dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """An array of this shape; texts are bytes. Raises ValueError if `raw` has another size."""
    if dtype != "BYTES":
        return np.frombuffer(raw, DTYPES[dtype]).reshape(tuple(shape))
    texts, at = [], 0
    while at < len(raw):
        if at + LENGTH.size > len(raw):
            raise ValueError(f"{len(raw)} bytes end within the length of a text")
        (length,) = LENGTH.unpack_from(raw, at)
        at += LENGTH.size
        if at + length > len(raw):
            raise ValueError(f"{len(raw)} bytes end within a text of {length}")
        texts.append(bytes(raw[at : at + length]))
        at += length
    found: NDArray[Any] = np.empty(len(texts), object)
    found[:] = texts
    return found.reshape(tuple(shape))


def array(values: NDArray[Any], dtype: str) -> Array:
    """A numpy array as it stands in release.json."""
    data = base64.b64encode(encode(values, dtype)).decode()
    return Array(tuple(int(size) for size in values.shape), data)


def values(stored: Array, dtype: str) -> NDArray[Any]:
    """A numpy array of release.json's. Raises ValueError."""
    return decode(stored.raw, dtype, stored.shape)


def from_json(values: Any, dtype: str) -> NDArray[Any]:
    """An array of a number, text or nested list of JSON. Raises ValueError for other values."""
    allowed = _JSON_TYPES.get(dtype[0], (int,)) if dtype != "BYTES" else (str,)
    # As objects, since numpy would make one text and many numbers an array of long texts.
    try:
        found = np.array(values, object)
    except ValueError as error:
        raise ValueError(UNEQUAL) from error
    elements = found.ravel().tolist()
    for kind in set(map(type, elements)) - set(allowed):
        if kind is list:
            raise ValueError(UNEQUAL)
        shown = "null" if kind is type(None) else kind.__name__
        raise ValueError(f"found {shown}; allowed in {dtype}: {_JSON_NAMES[allowed]}")
    if allowed == (int,) and elements:
        limits: Any = np.iinfo(DTYPES[dtype])
        for each in (min(elements), max(elements)):
            if not limits.min <= each <= limits.max:
                raise ValueError(f"found {each}; allowed: {limits.min} to {limits.max}")
    return _floats(found, dtype) if float in allowed else found.astype(DTYPES[dtype])


def _floats(found: NDArray[Any], dtype: str) -> NDArray[Any]:
    try:
        with np.errstate(over="ignore"):
            made = found.astype(DTYPES[dtype])
    except OverflowError as error:
        raise ValueError(f"found an integer too large for {dtype}") from error
    fits = np.isfinite(made)
    if not fits.all():
        raise ValueError(f"found {found[~fits].flat[0]}, too large for {dtype}")
    return made


# First letter of a type's name -> what stands for its values in JSON; others are integers.
_JSON_TYPES: dict[str, tuple[type, ...]] = {"B": (bool,), "F": (int, float)}
_JSON_NAMES: dict[tuple[type, ...], str] = {
    (bool,): "true and false",
    (int,): "integers",
    (int, float): "numbers",
    (str,): "texts",
}


def plain(value: Any) -> Any:
    """A value of JSON: numpy's arrays and scalars become Python's, NaN and infinities None.

    Raises ValueError, which names a value that JSON doesn't have, and its type.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        raise ValueError(f"found {type(value).__name__}; allowed: values of JSON, numpy arrays")
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"found the key {key!r}; allowed: texts as keys of an object")
    return {key: plain(each) for key, each in value.items()}


def has_shape(shape: Sequence[int], tensor: Tensor, *, batching: bool) -> bool:
    """Whether a client's shape is that of a tensor, with the batch first where there is one."""
    dims = shape[1:] if batching else shape
    return len(shape) == len(tensor.dims) + batching and all(
        want in (-1, size) for want, size in zip(tensor.dims, dims, strict=True)
    )
