"""The signature of a network, found by running it on the examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from model.compare import compare
from model.examples import V2_TYPES
from model.formats import Signature
from release.schema import FORMAT_TYPES, ReleaseError, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from model.examples import Arrays, Examples
    from model.formats import Program
    from release.schema import Format

    Labels = Sequence[str] | Mapping[int, Sequence[str]]

__all__ = ["find"]

# A network that is quantised as it runs takes its scale from the whole batch, which changes a
# row's answer by a percent. Rows that mix change it by far more.
ROW_TOLERANCE = 0.05


def find(program: Program, examples: Examples, format: Format, labels: Labels = ()) -> Signature:
    """Inputs and outputs; dims that differ between examples are -1. Raises ReleaseError."""
    parts = examples.parts()
    outputs = [program(part) for part in parts]
    counts = {len(found) for found in outputs}
    if len(counts) > 1:
        raise ReleaseError(
            f"forward() returns {' or '.join(map(str, sorted(counts)))} outputs, by its inputs; "
            "allowed: always as many"
        )
    if examples.batching:
        for batch, found in zip(parts, outputs, strict=True):
            _check_rows(program, batch, found)
    named = _labels(labels, len(outputs[0]))
    return Signature(
        tuple(
            _tensor(f"INPUT__{index}", seen, (), format, batching=examples.batching)
            for index, seen in enumerate(zip(*examples.batches, strict=True))
        ),
        tuple(
            _tensor(
                f"OUTPUT__{index}", seen, named.get(index, ()), format, batching=examples.batching
            )
            for index, seen in enumerate(zip(*outputs, strict=True))
        ),
        examples.batching,
    )


def _labels(labels: Labels, outputs: int) -> dict[int, tuple[str, ...]]:
    named = dict(labels) if isinstance(labels, Mapping) else {0: labels} if labels else {}
    for index in named:
        if not isinstance(index, int) or not 0 <= index < outputs:
            raise ReleaseError(
                f"labels: output {index!r}; allowed: 0 to {outputs - 1}, the index of an output"
            )
    return {index: tuple(each) for index, each in named.items()}


def _check_rows(program: Program, batch: Arrays, found: Arrays) -> None:
    """Raises ReleaseError unless each row is answered by itself: Triton puts batches together."""
    rows = len(batch[0])
    for index, output in enumerate(found):
        if not output.ndim or len(output) != rows:
            raise ReleaseError(
                f"output {index} has shape {list(output.shape)} for {rows} rows; allowed: the rows "
                f"as first dimension, [{rows}, …]; a network without them: batching=False"
            )
    for row in (0, rows - 1):
        single = program(tuple(item[row : row + 1] for item in batch))
        for index, (output, alone) in enumerate(zip(found, single, strict=True)):
            different = compare(alone, output[row : row + 1], ROW_TOLERANCE)
            if different:
                raise ReleaseError(
                    f"output {index} of row {row} {different} when the row is alone; allowed: rows "
                    "that don't depend on each other, since Triton puts those of several clients "
                    "into one batch; torch.where in place of a branch on values; batch_norm with "
                    "training=self.training; a network that needs its whole batch: batching=False"
                )


def _tensor(
    name: str,
    seen: Sequence[NDArray[Any]],
    labels: tuple[str, ...],
    format: Format,
    *,
    batching: bool,
) -> Tensor:
    dtypes, ranks = {item.dtype for item in seen}, {item.ndim for item in seen}
    if len(dtypes) > 1 or len(ranks) > 1:
        shapes = " and ".join(f"{item.dtype} {list(item.shape)}" for item in seen[:2])
        raise ReleaseError(f"{name} is {shapes}; allowed: one dtype, and as many dimensions")
    dtype = V2_TYPES[np.dtype(seen[0].dtype).name]
    if dtype not in FORMAT_TYPES[format]:
        raise ReleaseError(
            f"{name} has dtype {seen[0].dtype}, {dtype}; allowed in {format}: "
            f"{', '.join(FORMAT_TYPES[format])}; convert it in forward()"
        )
    sizes = list(zip(*(item.shape[batching:] for item in seen), strict=True))
    dims = tuple(int(each[0]) if len(set(each)) == 1 else -1 for each in sizes)
    if dtype == "BYTES" and format == "torchscript" and len(dims) + batching > 1:
        raise ReleaseError(f"{name} is texts {list(seen[0].shape)}; allowed: one text a row")
    if dims:
        return Tensor(name, dtype, dims, labels)
    if not batching:
        raise ReleaseError(f"{name} has no dimension; allowed without batching: one, .reshape(1)")
    return Tensor(name, dtype, (1,), labels, scalar=True)
