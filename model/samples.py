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

__all__ = ["add"]

SAMPLES = 8


def add(
    release: Release, examples: Examples, signature: Signature, program: Program
) -> tuple[Release, Arrays]:
    """The release with those samples that it holds, and the first one's inputs.

    Raises ReleaseError if not one fits, or if a picture has a label that the output doesn't have.
    """
    rows, kept, sizes = examples.rows(), [], []
    labels = set(examples.pictures.labels) if examples.pictures else set()
    unknown = labels - set(release.labels)
    if unknown and release.labels:
        raise ReleaseError(
            f"examples: a picture has the label {min(unknown)!r}; allowed: the definition's labels"
        )
    left = MAX_RELEASE_BYTES - len(release.to_json())
    # The examples have one of each label first.
    for row, inputs in enumerate(rows[: max(SAMPLES, len(labels))]):
        sample = _sample(row, inputs, examples.pictures, signature, program)
        # As it stands in the whole document, with its indentation.
        size = len(json.dumps({"samples": [asdict(sample)]}, indent=1))
        sizes.append(size)
        if size < left:
            left -= size
            kept.append((inputs, sample))
    if not kept:
        raise ReleaseError(
            f"samples: the smallest takes {min(sizes):,} bytes of release.json; allowed: "
            f"{left:,}; give smaller examples (an image block has pictures in place of numbers), "
            "or return less from forward()"
        )
    return replace(release, samples=tuple(sample for _, sample in kept)), kept[0][0]


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
