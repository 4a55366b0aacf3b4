"""Samples of a release: examples with the eager network's answers, as many as fit."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from model.served import as_client
from release import tensors
from release.schema import MAX_RELEASE_BYTES, ReleaseError, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.definition import Pictures
    from model.examples import Arrays, Examples
    from model.formats import Program, Signature
    from release.schema import Array, Release, Tensor

__all__ = ["add", "choose"]

SAMPLES = 8


def choose(examples: Examples) -> list[int]:
    """The rows, in the order in which they become samples: of each label the first, then others."""
    rows = range(len(examples.rows()))
    labels = examples.pictures.labels if examples.pictures else ()
    if not labels:
        return list(rows)[:SAMPLES]
    firsts = {label: row for row, label in reversed(list(enumerate(labels)))}
    first = sorted(firsts.values())
    rest = [row for row in rows if row not in first]
    return (first + rest)[: max(SAMPLES, len(first))]


def add(
    release: Release, examples: Examples, signature: Signature, program: Program
) -> tuple[Release, Arrays]:
    """The release with those samples that it holds, and the first one's inputs.

    Raises ReleaseError if not one fits.
    """
    rows, kept, sizes = examples.rows(), [], []
    left = MAX_RELEASE_BYTES - len(release.to_json())
    for row in choose(examples):
        sample = _sample(row, rows[row], examples.pictures, signature, program)
        # As it stands in the whole document, with its indentation.
        size = len(json.dumps({"samples": [asdict(sample)]}, indent=1))
        sizes.append(size)
        if size < left:
            left -= size
            kept.append((row, sample))
    if not kept:
        raise ReleaseError(
            f"samples: the smallest takes {min(sizes):,} bytes of release.json; allowed: "
            f"{left:,}; give smaller examples (an image block has pictures in place of numbers), "
            "or return less from forward()"
        )
    return replace(release, samples=tuple(sample for _, sample in kept)), rows[kept[0][0]]


def _sample(
    row: int,
    inputs: Arrays,
    pictures: Pictures | None,
    signature: Signature,
    program: Program,
) -> Sample:
    def stored(arrays: Arrays, specified: tuple[Tensor, ...]) -> Iterator[Array]:
        for array, tensor in zip(arrays, specified, strict=True):
            yield tensors.array(as_client(array, tensor), tensor.dtype)

    outputs = tuple(stored(program(inputs), signature.outputs))
    if pictures is None:
        return Sample(outputs, tuple(stored(inputs, signature.inputs)))
    label = pictures.labels[row] if pictures.labels else None
    picture = base64.b64encode(pictures.files[row]).decode()
    return Sample(outputs, image=picture, label=label)
