"""Tensors as numpy arrays, and as the V2 protocol's binary form.

Source: KServe's V2 inference protocol, "Binary tensor data extension".
"""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from release.schema import DTYPES, Array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from release.schema import Tensor

__all__ = ["array", "decode", "encode", "has_shape", "values"]

LENGTH = struct.Struct("<I")


def encode(values: NDArray[Any], dtype: str) -> bytes:
    """The binary form: little-endian elements; of a text its length in 4 bytes, then its UTF-8."""
    if dtype != "BYTES":
        return np.ascontiguousarray(values, DTYPES[dtype]).tobytes()
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
    found = np.empty(len(texts), object)
    found[:] = texts
    return found.reshape(tuple(shape))


def array(values: NDArray[Any], dtype: str) -> Array:
    """A numpy array as it stands in release.json."""
    data = base64.b64encode(encode(values, dtype)).decode()
    return Array(tuple(int(size) for size in values.shape), data)


def values(stored: Array, dtype: str) -> NDArray[Any]:
    """A numpy array of release.json's. Raises ValueError."""
    return decode(stored.raw, dtype, stored.shape)


def has_shape(shape: Sequence[int], tensor: Tensor, *, batching: bool) -> bool:
    """Whether a client's shape is that of a tensor, with the batch first where there is one."""
    dims = shape[1:] if batching else shape
    return len(shape) == len(tensor.dims) + batching and all(
        want in (-1, size) for want, size in zip(tensor.dims, dims, strict=True)
    )
