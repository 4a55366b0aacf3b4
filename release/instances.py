"""The V1 forms of instances and predictions that need no handler.

An instance of an image model is `{"image_bytes": {"b64": "..."}}`; of any other model
`{"INPUT__0": nested list, ...}`, or the nested list itself where there is one input. A prediction
is `{"label", "index", "scores"}` where the first output has labels for its one dimension, otherwise
`{"OUTPUT__0": nested list, ...}`.
"""

from __future__ import annotations

import binascii
import contextlib
import io
import urllib.parse
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from release import tensors
from release.images import Converter
from release.schema import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor

__all__ = [
    "InstanceError",
    "arrays",
    "classified",
    "decode_base64",
    "picture",
    "pictures",
    "predictions",
]

PICTURE_KEYS = ("image_bytes", "image")
PICTURE = '{"image_bytes": {"b64": "..."}}'
DATA_URI = "data:"
# RFC 4648: the alphabet for URLs differs in two characters.
TO_STANDARD = bytes.maketrans(b"-_", b"+/")
BLANKS = b" \t\r\n"


class InstanceError(ValueError):
    """Instances are wrong; `index` counts from 0, and is None where it isn't a single one."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(f"instances{'' if index is None else f'[{index}]'}: {message}")
        self.index = index


def picture(index: int, instance: Any) -> str:
    """The picture of an instance in base64. Raises InstanceError."""
    keys = [key for key in PICTURE_KEYS if key in instance] if isinstance(instance, dict) else []
    if len(keys) != 1:
        found = "image_bytes and image, allowed: one" if keys else "no image_bytes.b64"
        raise InstanceError(f"{found}; allowed: {PICTURE}", index)
    value = instance[keys[0]]
    text = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(text, str):
        raise InstanceError(f"{keys[0]} has no text 'b64'; allowed: {PICTURE}", index)
    if not text:
        raise InstanceError(f"{keys[0]}.b64 is empty", index)
    # Refused before decoding, since such text takes up to four times the memory.
    if not text.isascii():
        raise InstanceError("wrong base64: characters other than ASCII", index)
    return text


def decode_base64(text: str) -> bytes:
    """The bytes of base64 as browsers and phones send it. Raises ValueError.

    It may use either alphabet of RFC 4648, have blanks and line breaks, lack its padding, and be a
    data URI (RFC 2397).
    """
    if text[: len(DATA_URI)].lower() == DATA_URI:
        text = _content_of_uri(text)
    # binascii accepts three of them after a whole group of four characters.
    if not text.endswith("==="):
        with contextlib.suppress(ValueError):
            return binascii.a2b_base64(text, strict_mode=True)
    data = text.encode("ascii").translate(TO_STANDARD, BLANKS)
    data += b"=" * (-len(data) % 4)
    if data.endswith(b"==="):
        raise ValueError("excess padding")
    return binascii.a2b_base64(data, strict_mode=True)


def _content_of_uri(text: str) -> str:
    head, comma, content = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ValueError("the data URI has no ';base64,' in front of its data")
    return urllib.parse.unquote(content) if "%" in content else content


def pictures(release: Release, instances: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """The input of an image model, [instances, 3, height, width]. Raises InstanceError.

    It has no limits: for pictures that are trusted.
    """
    assert release.image is not None
    (tensor,) = release.inputs
    converter = Converter(release.image)
    batch: NDArray[Any] = np.empty((len(instances), *tensor.dims), DTYPES[tensor.dtype])
    for index, instance in enumerate(instances):
        text = picture(index, instance)
        try:
            image = Image.open(io.BytesIO(decode_base64(text)))
            converter.convert(image, batch[index])
        # Decoders raise errors of many types: SyntaxError, EOFError, struct.error, OSError, ...
        except Exception as error:
            raise InstanceError(f"not a picture: {error}", index) from error
    return {tensor.name: batch}


def arrays(release: Release, instances: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """The inputs of named tensors, one row for each instance. Raises InstanceError.

    Without `batching` there is one instance, which has the whole tensors.
    """
    if not release.batching and len(instances) != 1:
        raise InstanceError(f"found {len(instances)}; allowed: one, since the model has no batch")
    rows = [_row(release.inputs, index, instance) for index, instance in enumerate(instances)]
    made = {}
    for tensor in release.inputs:
        parts = [row[tensor.name] for row in rows]
        for index, part in enumerate(parts):
            if part.shape != parts[0].shape:
                raise InstanceError(
                    f"{tensor.name} has the shape {list(part.shape)}, in instances[0] "
                    f"{list(parts[0].shape)}; allowed: one shape in a request; pad them, or send "
                    "them apart",
                    index,
                )
        made[tensor.name] = np.stack(parts) if release.batching else parts[0]
    return made


def _row(inputs: Sequence[Tensor], index: int, instance: Any) -> dict[str, NDArray[Any]]:
    names = [tensor.name for tensor in inputs]
    if not isinstance(instance, dict):
        if len(inputs) > 1:
            raise InstanceError(f"allowed: an object with {', '.join(names)}", index)
        instance = {names[0]: instance}
    if instance.keys() != set(names):
        found = ", ".join(map(repr, instance)) or "none"
        raise InstanceError(f"found {found[:200]}; allowed: {', '.join(names)}", index)
    return {tensor.name: _values(tensor, index, instance[tensor.name]) for tensor in inputs}


def _values(tensor: Tensor, index: int, values: Any) -> NDArray[Any]:
    try:
        made = tensors.from_json(values, tensor.dtype)
    except ValueError as error:
        raise InstanceError(f"{tensor.name}: {error}", index) from error
    if not tensors.has_shape(made.shape, tensor, batching=False):
        raise InstanceError(
            f"{tensor.name} has the shape {list(made.shape)}; allowed: {list(tensor.dims)}", index
        )
    return made


def classified(release: Release) -> bool:
    """Whether predictions have a label: the first output has one for each of its values."""
    first = release.outputs[0]
    return bool(first.labels) and len(first.dims) == 1 and first.dtype not in ("BYTES", "BOOL")


def predictions(release: Release, outputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    """A prediction for each row, or the one of a model without `batching`.

    Its arrays are numpy's. A labelled first output is enough where `classified`.
    """
    first = release.outputs[0]
    if classified(release):
        scores = outputs[first.name] if release.batching else outputs[first.name][None]
        return [
            {"label": first.labels[index], "index": index, "scores": row}
            for index, row in zip(scores.argmax(axis=1).tolist(), scores, strict=True)
        ]
    if not release.batching:
        return [dict(outputs)]
    count = len(outputs[first.name])
    return [{name: array[row] for name, array in outputs.items()} for row in range(count)]
