"""Answers of the V2 protocol, in JSON and in its binary form, and classes in their place.

Source: Triton's classification extension, as its HTTP server has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from release import tensors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from release.schema import Release
    from transformer.v2 import Output, Request

__all__ = ["render"]


def render(
    release: Release, request: Request, values: Sequence[NDArray[Any]]
) -> tuple[int | None, bytes]:
    """The answer, and the length of its JSON where raw bytes follow."""
    described, parts = [], []
    for output, value in zip(request.outputs, values, strict=True):
        dtype = output.tensor.dtype
        if output.classes:
            value, dtype = _classify(release, output, value), "BYTES"
        item: dict[str, Any] = {
            "name": output.tensor.name,
            "datatype": dtype,
            "shape": value.shape,
        }
        if output.binary:
            parts.append(tensors.encode(value, dtype))
            item["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            item["data"] = _json_data(value)
        described.append(item)
    answer = {
        **({"id": request.id} if request.id else {}),
        "model_name": release.name,
        "model_version": "1",
        "outputs": described,
    }
    head: bytes = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not parts:
        return None, head
    return len(head), b"".join((head, *parts))


def _json_data(value: NDArray[Any]) -> Any:
    flat = value.reshape(-1)
    if value.dtype != object:
        return np.ascontiguousarray(flat)
    return [
        each.decode(errors="replace") if isinstance(each, bytes) else each for each in flat.tolist()
    ]


def _classify(release: Release, output: Output, value: NDArray[Any]) -> NDArray[Any]:
    """The texts `score:index` or `score:index:label` of the highest values of each row."""
    rows = value.reshape(len(value) if release.batching else 1, -1)
    count = min(output.classes, rows.shape[1])
    highest = np.argsort(-rows.astype(np.float64), axis=1, kind="stable")[:, :count]
    labels = output.tensor.labels
    made = np.empty(highest.shape, object)
    for place, index in np.ndenumerate(highest):
        score = rows[place[0], index].item()
        text = f"{score:f}" if isinstance(score, float) else str(score)
        label = f":{labels[index]}" if index < len(labels) else ""
        made[place] = f"{text}:{index}{label}".encode()
    return made if release.batching else made[0]
