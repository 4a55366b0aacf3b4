"""Releases made by hand, one of each kind; no network is behind their answers.

`image` is an image classifier, `tensors` has two inputs and three outputs of other types and no
handler, `texts` classifies texts of any length with a handler. Each takes fields to change.
"""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from release.lock import Entry, Lock
from release.schema import (
    DTYPES,
    Array,
    Exchange,
    File,
    Handler,
    ImageInput,
    Release,
    Sample,
    Tensor,
    Warmup,
    digest,
)
from release.tensors import array

SIDE = 8
TORCH = "2.11.0+cpu"


def image(**changed: Any) -> Release:
    """`digits`: one picture, three labelled scores."""
    made = Release(
        name="digits",
        model=File(digest(b"digits"), 6),
        torch=TORCH,
        inputs=(Tensor("INPUT__0", "FP32", (3, SIDE, SIDE)),),
        outputs=(Tensor("OUTPUT__0", "FP32", (3,), ("zero", "one", "two")),),
        image=ImageInput(width=SIDE, height=SIDE, mean=(0.5,) * 3, std=(0.5,) * 3),
        metrics={"accuracy": 0.9},
        held_out=100,
        provenance={"data": "drawn here", "weights": digest(b"weights")},
        samples=tuple(
            Sample(
                outputs=(stored([[0.1 * n, 2.5, -1.0]], "FP32"),),
                image=base64.b64encode(png(SIDE, SIDE, (60 * n, 0, 255))).decode(),
                label="one",
            )
            for n in range(4)
        ),
        warmup={"INPUT__0": Warmup(digest(b"pixels"), (3, SIDE, SIDE))},
    )
    return replace(made, **changed)


def tensors(**changed: Any) -> Release:
    """`ratings`: features and categories; a score a row, probabilities, the best one's place."""
    made = Release(
        name="ratings",
        model=File(digest(b"ratings"), 7),
        torch=TORCH,
        inputs=(Tensor("INPUT__0", "FP32", (4,)), Tensor("INPUT__1", "INT64", (2,))),
        outputs=(
            Tensor("OUTPUT__0", "FP32", (1,), scalar=True),
            Tensor("OUTPUT__1", "FP32", (3,)),
            Tensor("OUTPUT__2", "INT64", (1,), scalar=True),
        ),
        samples=tuple(
            Sample(
                inputs=(stored([[n, 1, 2, 3]], "FP32"), stored([[n, 7]], "INT64")),
                outputs=(
                    stored([[0.5 * n]], "FP32"),
                    stored([[0.25, 0.5, 0.25]], "FP32"),
                    stored([[1]], "INT64"),
                ),
            )
            for n in range(3)
        ),
        warmup={
            "INPUT__0": Warmup(digest(b"features"), (4,)),
            "INPUT__1": Warmup(digest(b"categories"), (2,)),
        },
    )
    return replace(made, **changed)


def texts(**changed: Any) -> Release:
    """`topics`: tokens and a mask of any length, two labelled scores, a handler, exchanges."""
    made = Release(
        name="topics",
        format="onnx",
        model=File(digest(b"topics"), 6),
        torch=TORCH,
        opset=18,
        ir=10,
        inputs=(Tensor("INPUT__0", "INT64", (-1,)), Tensor("INPUT__1", "INT64", (-1,))),
        outputs=(Tensor("OUTPUT__0", "FP32", (2,), ("sport", "weather")),),
        handler=handler(),
        samples=tuple(
            Sample(
                inputs=(stored([[*range(length)]], "INT64"), stored([[1] * length], "INT64")),
                outputs=(stored([[1.5, -0.5]], "FP32"),),
            )
            for length in (3, 5)
        ),
        exchanges=(
            Exchange(
                ({"text": "They won."}, {"text": "It rains."}),
                (
                    {"topic": "sport", "score": 0.875, "tokens": 2},
                    {"topic": "weather", "score": 0.75, "tokens": 2},
                ),
            ),
        ),
        warmup={name: Warmup(digest(b"tokens"), (3,)) for name in ("INPUT__0", "INPUT__1")},
    )
    return replace(made, **changed)


def handler(**changed: Any) -> Handler:
    """The handler of `texts`: handler.py and the tokenizer's words."""
    files = {"handler.py": File(digest(b"def"), 3), "words.txt": File(digest(b"rain"), 4)}
    return replace(Handler(files, {"lower": True}), **changed)


def stored(values: Any, dtype: str) -> Array:
    """Nested lists as an array of a release."""
    return array(np.array(values, DTYPES[dtype]), dtype)


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """A picture of one colour; the program's environment has no library for pictures."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * width) * height
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def releases(count: int) -> list[Release]:
    """Releases of `digits` that differ in one figure."""
    return [image(metrics={"accuracy": number / 100}) for number in range(count)]


def lock(*pinned: Release) -> Lock:
    """A lock with these releases of `digits`, the first one current."""
    return Lock(models={"digits": tuple(Entry.of(release, {}) for release in pinned)})
