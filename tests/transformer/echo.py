"""A model on Triton's real Python backend whose outputs are its inputs, and releases of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from release import files, tensors
from release.schema import CONFIG_TYPES, DTYPES, File, Handler, Release, Sample, Tensor, Warmup

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from release.schema import ImageInput

__all__ = ["EVERY_TYPE", "MAX_BATCH_SIZE", "Echo"]

MAX_BATCH_SIZE = 8
EVERY_TYPE = tuple(Tensor(f"IN_{dtype}", dtype, (-1,)) for dtype in DTYPES)
# Triton's Python backend. A value 666 stands for what a network can't take.
MODEL_PY = """
import json
import triton_python_backend_utils as pb

class TritonPythonModel:
    def initialize(self, arguments):
        config = json.loads(arguments["model_config"])
        self.pairs = [(i["name"], o["name"]) for i, o in zip(config["input"], config["output"])]

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        made = []
        for name, output in self.pairs:
            array = pb.get_input_tensor_by_name(request, name).as_numpy()
            if array.dtype != object and (array == 666).any():
                return pb.InferenceResponse([], error=pb.TritonError("index out of range"))
            made.append(pb.Tensor(output, array))
        return pb.InferenceResponse(made)
"""


@dataclass(frozen=True)
class Echo:
    """A model: each input `IN_…` has an output `OUT_…`; `labels` are of the first one."""

    name: str
    inputs: tuple[Tensor, ...]
    batching: bool = True
    labels: tuple[str, ...] = ()
    image: ImageInput | None = None

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs, in the order of the inputs."""
        return tuple(
            Tensor(
                each.name.replace("IN", "OUT", 1),
                each.dtype,
                each.dims,
                () if index else self.labels,
            )
            for index, each in enumerate(self.inputs)
        )

    def install(self, repository: Path) -> None:
        """Write its folder in Triton's model repository."""
        folder = repository / self.name
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.py").write_text(MODEL_PY)
        (folder / "labels.txt").write_text("\n".join(self.labels))
        lines = [
            f'name: "{self.name}"',
            'backend: "python"',
            f"max_batch_size: {MAX_BATCH_SIZE if self.batching else 0}",
            *(_described("input", each) for each in self.inputs),
            *(_described("output", each) for each in self.outputs),
        ]
        (folder / "config.pbtxt").write_text("\n".join(lines))

    def release(self, folder: Path, handler: Mapping[str, str] | None = None, **more: Any) -> Path:
        """Write its release.json and a handler's files; the path of release.json."""
        for name, text in (handler or {}).items():
            files.write(folder / "handler" / name, text.encode())
        sums = {
            name: File(hashlib.sha256(text.encode()).hexdigest(), len(text.encode()))
            for name, text in (handler or {}).items()
        }
        made = Release(
            name=self.name,
            format="onnx",
            model=File("0" * 64, 1),
            torch="2.12.1",
            batching=self.batching,
            inputs=self.inputs,
            outputs=self.outputs,
            image=self.image,
            handler=Handler(sums, **more) if handler else None,
            samples=(self._sample(),),
            warmup={each.name: Warmup("0" * 64, (1,) * len(each.dims)) for each in self.inputs},
        )
        files.write(folder / "release.json", made.to_json())
        return folder / "release.json"

    def _sample(self) -> Sample:
        """A release on disk has one; the transformer reads none."""
        made = tuple(
            tensors.array(_zeros(each, batching=self.batching), each.dtype) for each in self.inputs
        )
        return Sample(outputs=made, image="AAAA") if self.image else Sample(made, made)


def _zeros(tensor: Tensor, *, batching: bool) -> NDArray[Any]:
    shape = [1] * batching + [max(dim, 1) for dim in tensor.dims]
    return np.full(shape, "" if tensor.dtype == "BYTES" else 0, DTYPES[tensor.dtype])


def _described(kind: str, tensor: Tensor) -> str:
    labels = ', label_filename: "labels.txt"' if tensor.labels else ""
    return (
        f'{kind} [{{ name: "{tensor.name}", data_type: {CONFIG_TYPES[tensor.dtype]}, '
        f"dims: {list(tensor.dims)}{labels} }}]"
    )
