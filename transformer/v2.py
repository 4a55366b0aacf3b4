"""The V2 protocol's infer requests, in JSON and in its binary form.

Source: KServe's V2 inference protocol with the binary tensor data extension.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release import tensors
from release.schema import DTYPES
from transformer import requests
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor

__all__ = ["HEADER_LENGTH", "PICTURES", "Output", "Request", "parse", "split"]

# The header with the length of the JSON in front of the raw bytes.
HEADER_LENGTH = b"inference-header-content-length"
SHAPE = '{"inputs": [{"name", "shape", "datatype", "data"}]}'
# Input of an image model in the place of its own: encoded pictures; in JSON, their base64.
PICTURES = "image_bytes"
MAX_ID_CHARACTERS = 1024


@dataclass(frozen=True)
class Output:
    """A requested output: as raw bytes or in JSON, or its highest `classes`."""

    tensor: Tensor
    binary: bool
    classes: int = 0


@dataclass(frozen=True)
class Request:
    """The network's `inputs` by name, or the `pictures` of an image model."""

    id: str | None
    inputs: Mapping[str, NDArray[Any]]
    pictures: Sequence[str | bytes]
    outputs: Sequence[Output]


def parse(head: memoryview, raw: memoryview, release: Release) -> Request:
    """A request whose inputs are the release's. Raises RequestError, which names the tensor.

    `head` is its JSON, and `raw` the bytes behind it.
    """
    document = requests.load(head, requests.MAX_VALUES, SHAPE)
    if not isinstance(document, dict):
        raise RequestError(400, f"the body is no object; allowed: {SHAPE}")
    parameters = _parameters(document, "request", ("binary_data_output",))
    binary = _flag(parameters, "binary_data_output", "request", False)
    found = _named(document.get("inputs"), "inputs")
    if not found:
        raise RequestError(400, f"no inputs; allowed: {SHAPE}")
    arrays = _inputs(found, raw, release)
    _check_batch(arrays, release)
    pictures = arrays.pop(PICTURES).tolist() if _has_pictures(found, release) else []
    return Request(_id(document), arrays, pictures, _outputs(document, release, binary))


def _has_pictures(found: Mapping[str, Any], release: Release) -> bool:
    own = {tensor.name for tensor in release.inputs}
    return release.image is not None and PICTURES in found and PICTURES not in own


def split(body: bytes | bytearray, header_length: bytes | None) -> tuple[memoryview, memoryview]:
    """The JSON of a body, and the raw bytes behind it. Raises RequestError."""
    whole = memoryview(body)
    if header_length is None:
        return whole, whole[:0]
    text = header_length.decode("latin-1")
    length = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not 0 <= length <= len(body):
        raise RequestError(
            400,
            f"Inference-Header-Content-Length {text[:50]!r}; allowed: the length of the JSON, at "
            f"most the body's {len(body)}",
        )
    return whole[:length], whole[length:]


def _id(document: dict[str, Any]) -> str | None:
    given = document.get("id")
    if given is not None and not (isinstance(given, str) and len(given) <= MAX_ID_CHARACTERS):
        raise RequestError(400, f"id: allowed: a text of {MAX_ID_CHARACTERS} characters at most")
    return given or None


def _named(items: Any, kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a list by their names."""
    items = [] if items is None else items
    if not isinstance(items, list):
        raise RequestError(400, f"{kind}: found {type(items).__name__}; allowed: a list")
    named: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise RequestError(400, f"{kind}[{index}]: allowed: an object with a name")
        if name in named:
            raise RequestError(400, f"{kind}[{index}]: {name[:100]} is there twice")
        named[name] = item
    return named


def _parameters(item: dict[str, Any], where: str, allowed: Sequence[str]) -> dict[str, Any]:
    given = item.get("parameters")
    given = {} if given is None else given
    if not isinstance(given, dict):
        raise RequestError(400, f"{where}: parameters: allowed: an object")
    for name in given:
        if name not in allowed:
            raise RequestError(
                400, f"{where}: parameter {name[:100]!r}; allowed: {', '.join(allowed)}"
            )
    return given


def _flag(parameters: dict[str, Any], name: str, where: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(400, f"{where}: parameter {name}; allowed: true or false")
    return value


def _inputs(
    found: dict[str, dict[str, Any]], raw: memoryview, release: Release
) -> dict[str, NDArray[Any]]:
    known = {tensor.name: tensor for tensor in release.inputs}
    wanted = [PICTURES] if _has_pictures(found, release) else [*known]
    for name in found:
        if name not in wanted:
            allowed = [PICTURES, *known] if release.image else wanted
            raise RequestError(400, f"input {name[:100]!r}; allowed: {', '.join(allowed)}")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise RequestError(400, f"input {', '.join(missing)} is missing")
    arrays, start = {}, 0
    for name, item in found.items():
        tensor = known.get(name)
        dtype, shape = _described(item, name, tensor, release)
        size = _parameters(item, name, ("binary_data_size",)).get("binary_data_size")
        if size is None:
            arrays[name] = _from_json(item, name, dtype, shape)
            continue
        if type(size) is not int or not 0 <= size <= len(raw) - start:
            raise RequestError(
                400,
                f"input {name}: binary_data_size {str(size)[:50]}; {len(raw) - start} bytes are "
                "left in the body",
            )
        arrays[name] = _from_bytes(raw[start : start + size], name, dtype, shape)
        start += size
    if start != len(raw):
        raise RequestError(400, f"{len(raw) - start} bytes behind those of the last input")
    return arrays


def _described(
    item: dict[str, Any], name: str, tensor: Tensor | None, release: Release
) -> tuple[str, list[int]]:
    """Type and shape of an input; `tensor` is None for pictures."""
    dtype = tensor.dtype if tensor else "BYTES"
    if item.get("datatype") != dtype:
        found = str(item.get("datatype"))[:50]
        raise RequestError(400, f"input {name}: datatype {found}; allowed: {dtype}")
    shape: Any = item.get("shape")
    fits = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    if tensor:
        fits = fits and tensors.has_shape(shape, tensor, batching=release.batching)
    else:
        fits = fits and len(shape) == 1
    if not fits:
        dims = tensor.dims if tensor else ()
        allowed = [-1, *dims] if release.batching else [*dims]
        raise RequestError(400, f"input {name}: shape {str(shape)[:100]}; allowed: {allowed}")
    return dtype, shape


def _from_bytes(raw: memoryview, name: str, dtype: str, shape: list[int]) -> NDArray[Any]:
    if dtype != "BYTES":
        expected = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
        if len(raw) != expected:
            raise RequestError(
                400, f"input {name}: {len(raw)} bytes; {dtype} {shape} has {expected}"
            )
    try:
        return tensors.decode(raw, dtype, shape)
    except ValueError as error:
        raise RequestError(400, f"input {name}: {error}") from error


def _from_json(item: dict[str, Any], name: str, dtype: str, shape: list[int]) -> NDArray[Any]:
    if "data" not in item:
        raise RequestError(400, f"input {name}: no data, and no parameter binary_data_size")
    try:
        # A flat list, or one nested as the shape.
        return tensors.from_json(item["data"], dtype).reshape(shape)
    except ValueError as error:
        raise RequestError(400, f"input {name}: {error}") from error


def _check_batch(arrays: dict[str, NDArray[Any]], release: Release) -> None:
    if not release.batching:
        return
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise RequestError(400, f"rows: {found}; allowed: one or more, as many in each input")


def _outputs(document: dict[str, Any], release: Release, binary: bool) -> list[Output]:
    """The requested outputs, or all."""
    known = {tensor.name: tensor for tensor in release.outputs}
    wanted = _named(document.get("outputs"), "outputs") or {name: {} for name in known}
    made = []
    for name, item in wanted.items():
        if name not in known:
            raise RequestError(400, f"output {name[:100]!r}; allowed: {', '.join(known)}")
        where = f"output {name}"
        parameters = _parameters(item, where, ("binary_data", "classification"))
        classes = parameters.get("classification", 0)
        if type(classes) is not int or classes < 0:
            raise RequestError(400, f"{where}: classification; allowed: a number of classes")
        if classes and known[name].dtype in ("BYTES", "BOOL"):
            raise RequestError(400, f"{where}: classification; allowed: outputs of numbers")
        made.append(Output(known[name], _flag(parameters, "binary_data", where, binary), classes))
    return made
