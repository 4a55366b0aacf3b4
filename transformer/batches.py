"""Requests to the predictor: in parts where there are more rows than a batch takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np

from transformer.errors import RequestError
from transformer.predictor import rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Tensor
    from transformer.predictor import Arrays, Predictor

__all__ = ["infer"]

PARTS_AT_ONCE = 8
BYTES_AT_ONCE = 8 * 2**20


async def infer(
    predictor: Predictor,
    inputs: Arrays,
    outputs: Sequence[Tensor],
    headers: Mapping[str, str],
    size: int,
) -> list[NDArray[Any]]:
    """The outputs of any number of rows, of which a batch has `size` at most.

    `headers` go with each request to the predictor. Raises RequestError.
    """
    count = rows(predictor.release, inputs)
    if count is None or count <= size:
        return await predictor.infer(inputs, outputs, headers)
    parts: list[Arrays] = [
        {name: array[start : start + size] for name, array in inputs.items()}
        for start in range(0, count, size)
    ]
    answers = await _infer_all(predictor, parts, outputs, headers)
    return [
        _joined(output, arrays, size)
        for output, arrays in zip(outputs, zip(*answers, strict=True), strict=True)
    ]


async def _infer_all(
    predictor: Predictor,
    parts: Sequence[Arrays],
    outputs: Sequence[Tensor],
    headers: Mapping[str, str],
) -> list[list[NDArray[Any]]]:
    part_bytes = sum(array.nbytes for array in parts[0].values())
    at_once = min(PARTS_AT_ONCE, BYTES_AT_ONCE // max(1, part_bytes))
    slots = asyncio.Semaphore(max(1, at_once))

    async def infer_part(part: Arrays) -> list[NDArray[Any]]:
        async with slots:
            return await predictor.infer(part, outputs, headers)

    tasks = [asyncio.create_task(infer_part(part)) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def _joined(output: Tensor, parts: Sequence[NDArray[Any]], size: int) -> NDArray[Any]:
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        found = ", ".join(str(list(shape)) for shape in shapes)
        raise RequestError(
            400,
            f"output {output.name} has rows of several shapes in batches of {size}: {found[:200]}; "
            f"send {size} rows at most",
        )
    return np.concatenate(parts)
