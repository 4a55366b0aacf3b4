"""Triton's PyTorch backend, written on its Python backend: serves `pytorch_libtorch` on CPU.

It replaces the compiled backend where that can't be installed, with the same model.pt and
config.pbtxt, the same naming rule for tensors, and the same errors for outputs that differ from the
config.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils


def ordered(tensors: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Names and numpy types in the order of the `__<index>` that every name must end with."""
    found: dict[int, tuple[str, Any]] = {}
    for tensor in tensors:
        index = re.fullmatch(r".+__(\d+)", tensor["name"])
        if index is None:
            raise pb_utils.TritonModelException(
                f"tensor {tensor['name']!r} does not follow the naming <name>__<index>"
            )
        kind = pb_utils.triton_string_to_numpy(tensor["data_type"])
        found[int(index[1])] = (tensor["name"], kind)
    if sorted(found) != list(range(len(tensors))):
        raise pb_utils.TritonModelException(f"tensor indices {sorted(found)} are not 0, 1, ...")
    return [found[index] for index in range(len(tensors))]


class TritonPythonModel:
    """An instance of the instance group: a process with its own network."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.batching = config["max_batch_size"] > 0
        self.inputs, self.outputs = ordered(config["input"]), ordered(config["output"])
        threads = config["parameters"].get("INTRA_OP_THREAD_COUNT", {}).get("string_value")
        if threads:  # Else torch follows OMP_NUM_THREADS.
            torch.set_num_threads(int(threads))
        file = config["default_model_filename"] or "model.pt"
        path = Path(args["model_repository"], args["model_version"], file)
        self.network = torch.jit.load(str(path), map_location="cpu").eval()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests in their order; with batching all in one forward pass."""
        groups = [requests] if self.batching else [[request] for request in requests]
        return [response for group in groups for response in self.answer(group)]

    def answer(self, requests: list[Any]) -> list[Any]:
        try:
            rows = [self.tensors(request) for request in requests]
            columns = zip(*rows, strict=True)
            outputs = self.forward([np.concatenate(x) if len(x) > 1 else x[0] for x in columns])
            if len(requests) == 1:
                return [self.response(outputs)]
            ends = np.cumsum([row[0].shape[0] for row in rows])[:-1]
            parts = [np.split(output, ends) for output in outputs]
            return [self.response(list(part)) for part in zip(*parts, strict=True)]
        except Exception as error:  # Triton answers with the error and continues to serve.
            failed = pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error)))
            return [failed] * len(requests)

    def tensors(self, request: Any) -> list[Any]:
        return [pb_utils.get_input_tensor_by_name(request, n).as_numpy() for n, _ in self.inputs]

    def forward(self, inputs: list[Any]) -> list[Any]:
        with torch.inference_mode():
            answer = self.network(*(torch.from_numpy(value) for value in inputs))
        tensors = list(answer) if isinstance(answer, (tuple, list)) else [answer]
        if len(tensors) < len(self.outputs):
            raise ValueError(f"the network gives {len(tensors)} outputs, not {len(self.outputs)}")
        arrays = [tensor.contiguous().numpy() for tensor in tensors[: len(self.outputs)]]
        for array, (name, kind) in zip(arrays, self.outputs, strict=True):
            if array.dtype != kind:
                raise ValueError(f"{name} is {array.dtype}, the config says {np.dtype(kind)}")
            if self.batching and array.shape[:1] != inputs[0].shape[:1]:
                raise ValueError(f"{name} has shape {list(array.shape)}: not one row an input")
        return arrays

    def response(self, outputs: list[Any]) -> Any:
        tensors = [pb_utils.Tensor(n, a) for (n, _), a in zip(self.outputs, outputs, strict=True)]
        return pb_utils.InferenceResponse(output_tensors=tensors)
