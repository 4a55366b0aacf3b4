"""Triton's ONNX Runtime backend, on CPU.

Source of rules and texts: Triton's onnxruntime_backend, and `CompareDimsSupported` of its backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from local.triton.backends.triton_backend import Backend, Tensor, refuse
else:  # It lies beside this file in Triton's folder of backends.
    from triton_backend import Backend, Tensor, refuse

__all__ = ["TritonPythonModel"]

TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(uint16)": "TYPE_UINT16",
    "tensor(uint32)": "TYPE_UINT32",
    "tensor(uint64)": "TYPE_UINT64",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int16)": "TYPE_INT16",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
    "tensor(string)": "TYPE_STRING",
}
# Triton's graph level -> ONNX Runtime's.
LEVELS = {
    -1: ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
INITIALIZERS = "session.use_device_allocator_for_initializers"
SHRINKAGE = "memory.enable_memory_arena_shrinkage"


class TritonPythonModel(Backend):
    """A model.onnx."""

    filename = "model.onnx"

    def load(self, path: Path) -> None:
        providers = ["CPUExecutionProvider"]
        self.session = ort.InferenceSession(str(path), self._options(), providers)
        self.how = ort.RunOptions()
        if value := self.parameter(SHRINKAGE):
            self.how.add_run_config_entry(SHRINKAGE, value)
        inputs = {each.name: each for each in self.session.get_inputs()}
        outputs = {each.name: each for each in self.session.get_outputs()}
        if len(inputs) != len(self.inputs):
            raise self._refuse(
                f"configuration expects {len(self.inputs)} inputs, model provides {len(inputs)}"
            )
        for tensor in self.inputs:
            self._check(tensor, inputs, "input")
        for tensor in self.outputs:
            self._check(tensor, outputs, "output")

    def run(self, inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        names = [tensor.name for tensor in self.outputs]
        pairs = zip(self.inputs, inputs, strict=True)
        feeds = {tensor.name: _texts(array) for tensor, array in pairs}
        made: list[NDArray[Any]] = self.session.run(names, feeds, self.how)
        return made

    def _options(self) -> Any:
        options, optimization = ort.SessionOptions(), self.config.get("optimization") or {}
        level = int((optimization.get("graph") or {}).get("level", 0))
        options.graph_optimization_level = LEVELS.get(
            level, ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        )
        accelerators = optimization.get("execution_accelerators") or {}
        for each in accelerators.get("cpu_execution_accelerator", []):
            raise refuse(f"unknown Execution Accelerator '{each['name']}' is requested")
        if self.parameter("execution_mode") == "1":
            options.execution_mode = ort.ExecutionMode.ORT_PARALLEL
        options.intra_op_num_threads = int(self.parameter("intra_op_thread_count", "0"))
        options.inter_op_num_threads = int(self.parameter("inter_op_thread_count", "0"))
        options.enable_cpu_mem_arena = _is_true(self.parameter("enable_mem_arena", "true"))
        options.enable_mem_pattern = _is_true(self.parameter("enable_mem_pattern", "true"))
        if value := self.parameter(INITIALIZERS):
            options.add_session_config_entry(INITIALIZERS, value)
        return options

    def _check(self, tensor: Tensor, has: dict[str, Any], kind: str) -> None:
        if tensor.name not in has:
            raise refuse(
                f"unexpected inference {kind} '{tensor.name}', allowed {kind}s are: "
                f"{', '.join(sorted(has))}"
            )
        provides = TYPES.get(has[tensor.name].type, "TYPE_<invalid>")
        if provides != tensor.type:
            raise self._refuse(
                f"configuration expects datatype {tensor.type} for {kind} '{tensor.name}', model "
                f"provides {provides}"
            )
        shape = [dim if isinstance(dim, int) else -1 for dim in has[tensor.name].shape]
        if shape:
            self._check_dims(tensor, shape, exact=kind == "output")

    def _check_dims(self, tensor: Tensor, shape: list[int], *, exact: bool) -> None:
        """Compare shapes: of an output's dims -1 must be -1 in the file, and no other."""
        where = f"model '{self.name}', tensor '{tensor.name}': "
        if self.batching and shape[0] != -1:
            raise refuse(
                f"{where}for the model to support batching the shape should have at least 1 "
                f"dimension and the first dimension must be -1; but shape expected by the model is "
                f"{_shown(shape)}"
            )
        wanted = [-1, *tensor.dims] if self.batching else list(tensor.dims)
        fits = len(shape) == len(wanted) and all(
            has == want or (not exact and -1 in (has, want))
            for has, want in zip(shape, wanted, strict=True)
        )
        if not fits:
            how = (
                "an initial batch dimension because max_batch_size > 0 followed by the explicit "
                "tensor shape, making complete shape "
            )
            raise refuse(
                f"{where}the model expects {len(shape)} dimensions (shape {_shown(shape)}) but the "
                f"model configuration specifies {len(wanted)} dimensions "
                f"({how if self.batching else 'shape '}{_shown(wanted)})"
            )

    def _refuse(self, why: str) -> Exception:
        return refuse(f"unable to load model '{self.name}', {why}")


def _texts(array: NDArray[Any]) -> NDArray[Any]:
    """ONNX Runtime takes texts as str, Triton gives bytes."""
    if array.dtype != object:
        return array
    made = np.empty(array.size, object)
    made[:] = [value.decode() for value in array.ravel()]
    return made.reshape(array.shape)


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _shown(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"
