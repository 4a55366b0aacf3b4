"""Models that Triton's Python backend serves, each with its release.

`every` gives its inputs back, one of every type, of any length; `whole` does so without a batch;
`rows` has one value a row, without a dimension in the network; `picture` is an image model with the
mean of each channel as its scores.
"""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from release import instances
from release.schema import (
    CONFIG_TYPES,
    DTYPES,
    File,
    ImageInput,
    Release,
    Sample,
    Tensor,
    Warmup,
    digest,
)
from release.tensors import array

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LABELS", "every", "picture", "rows", "values", "whole", "write"]

LABELS = ("red", "green", "blue")
SIDE = 8
LENGTHS = (1, 3, 2, 3)
MODEL = """
import json
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.names = [[each["name"] for each in config[kind]] for kind in ("input", "output")]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        inputs, outputs = self.names
        given = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in inputs]
        answered = [self.COMPUTE(each) for each in given]
        tensors = [pb_utils.Tensor(*pair) for pair in zip(outputs, answered)]
        return pb_utils.InferenceResponse(output_tensors=tensors)

    def echo(self, array):
        return array

    def means(self, array):
        return array.mean((2, 3))
"""


def every() -> Release:
    """One input and output of every type, [batch, -1]."""
    inputs = tuple(Tensor(f"in_{dtype.lower()}", dtype, (-1,)) for dtype in DTYPES)
    outputs = tuple(Tensor(f"out_{dtype.lower()}", dtype, (-1,)) for dtype in DTYPES)
    return _echo("every", inputs, outputs, [(1, length) for length in LENGTHS])


def whole() -> Release:
    """Texts and numbers without a batch."""
    inputs = (Tensor("texts", "BYTES", (2, 3)), Tensor("numbers", "FP64", (2, 3)))
    outputs = (Tensor("same_texts", "BYTES", (2, 3)), Tensor("same_numbers", "FP64", (2, 3)))
    return _echo("whole", inputs, outputs, [(2, 3)] * 2, batching=False)


def rows() -> Release:
    """One integer and one float a row, [batch, 1] for clients and [batch] for the network."""
    kinds = ("INT32", "FP16")
    inputs = tuple(Tensor(f"in_{dtype}", dtype, (1,), scalar=True) for dtype in kinds)
    outputs = tuple(Tensor(f"out_{dtype}", dtype, (1,), scalar=True) for dtype in kinds)
    return _echo("rows", inputs, outputs, [(1, 1)] * 3)


def picture() -> Release:
    """Three labelled scores of a picture."""
    made = _release(
        "picture",
        (Tensor("INPUT__0", "FP32", (3, SIDE, SIDE)),),
        (Tensor("OUTPUT__0", "FP32", (3,), LABELS),),
        [Sample((array(np.zeros((1, 3), "float32"), "FP32"),), image="")],
        image=ImageInput(width=SIDE, height=SIDE, mean=(0.5,) * 3, std=(0.25,) * 3),
    )
    chance = np.random.default_rng(1)
    samples = []
    for _ in range(5):
        pixels = chance.integers(0, 256, (2 * SIDE, SIDE, 3), np.uint8)
        pixels[:, :, chance.integers(3)] //= 2
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        text = base64.b64encode(file.getvalue()).decode()
        given = instances.pictures(made, [{"image": {"b64": text}}])["INPUT__0"]
        samples.append(Sample((array(given.mean((2, 3)), "FP32"),), image=text))
    return replace(made, samples=tuple(samples))


def values(dtype: str, shape: tuple[int, ...], seed: int) -> NDArray[Any]:
    """Values of a type: its extremes, texts with and without letters, or chance."""
    chance, count = np.random.default_rng(seed), int(np.prod(shape))
    if dtype == "BYTES":
        texts = ["", "naïve", "two\nlines", "猫"]
        made = np.array([texts[n % 4].encode() for n in range(seed, seed + count)], object)
        return made.reshape(shape)
    kind = np.dtype(DTYPES[dtype])
    if kind.kind == "f":
        return chance.normal(0, 10, shape).astype(kind)
    if kind.kind == "b":
        return chance.integers(0, 2, shape).astype(kind)
    limits = np.iinfo(kind)
    made = chance.integers(limits.min, limits.max, shape, kind, endpoint=True)
    made.flat[0] = limits.max
    return made


def write(repository: Path, release: Release, name: str | None = None, batch: int = 4) -> None:
    """Put a model into Triton's repository, by default under the release's name."""
    folder = repository / (name or release.name)
    (folder / "1").mkdir(parents=True)
    compute = "means" if release.image else "echo"
    (folder / "1" / "model.py").write_text(MODEL.replace("COMPUTE", compute))
    lines = ['backend: "python"', f"max_batch_size: {batch if release.batching else 0}"]
    for kind, tensors in (("input", release.inputs), ("output", release.outputs)):
        for each in tensors:
            reshape = "reshape { shape: [] }" if each.scalar else ""
            lines.append(
                f'{kind} {{ name: "{each.name}" data_type: {CONFIG_TYPES[each.dtype]} '
                f"dims: {list(each.dims)} {reshape} }}"
            )
    (folder / "config.pbtxt").write_text("\n".join(lines))


def _echo(
    name: str,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    shapes: list[tuple[int, ...]],
    **changed: Any,
) -> Release:
    samples = []
    for seed, shape in enumerate(shapes):
        same = tuple(array(values(each.dtype, shape, seed), each.dtype) for each in inputs)
        samples.append(Sample(same, same))
    return _release(name, inputs, outputs, samples, **changed)


def _release(
    name: str,
    inputs: tuple[Tensor, ...],
    outputs: tuple[Tensor, ...],
    samples: list[Sample],
    **changed: Any,
) -> Release:
    return Release(
        name=name,
        format="onnx",
        model=File(digest(name.encode()), len(name)),
        torch="2.11.0+cpu",
        inputs=inputs,
        outputs=outputs,
        samples=tuple(samples),
        warmup={each.name: Warmup(digest(b"row"), (1,)) for each in inputs},
        **changed,
    )
