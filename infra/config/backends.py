"""The parameters that Triton's backends read, by format of the model: closed lists.

A backend ignores a parameter that it does not know, so that a mistyped one has no effect and no
message. Sources: README.md and src/ of triton-inference-server/pytorch_backend and of
onnxruntime_backend, r26.06; ONNX Runtime's documentation of the CUDA execution provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.types import Device, GraphOptimization, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.triton import Triton
    from release.schema import Format

# A type, or the texts that are allowed.
Kind = type[bool] | type[int] | type[str] | tuple[str, ...]
# ONNX Runtime's level -> Triton's `optimization.graph.level`; `all` is the backend's default.
GRAPH_LEVELS: dict[GraphOptimization, int] = {"extended": 1, "basic": -1, "none": 2}

_THREADS: dict[str, Kind] = {"INTER_OP_THREAD_COUNT": int, "INTRA_OP_THREAD_COUNT": int}
PARAMETERS: dict[Format, dict[str, Kind]] = {
    "torchscript": {
        "DISABLE_OPTIMIZED_EXECUTION": bool,
        "INFERENCE_MODE": bool,
        "DISABLE_CUDNN": bool,
        "ENABLE_NVFUSER": bool,
        "ENABLE_WEIGHT_SHARING": bool,
        "ENABLE_CACHE_CLEANING": bool,
        "ENABLE_JIT_EXECUTOR": bool,
        "ENABLE_JIT_PROFILING": bool,
        "ENABLE_TENSOR_FUSER": bool,
        **_THREADS,
    },
    "onnx": {
        "intra_op_thread_count": int,
        "inter_op_thread_count": int,
        "execution_mode": ("0", "1"),
        "enable_mem_arena": ("0", "1"),
        "enable_mem_pattern": ("0", "1"),
        "memory.enable_memory_arena_shrinkage": str,
        "session.use_device_allocator_for_initializers": ("0", "1"),
    },
    # DISABLE_CUDNN is left out: the backend reads true as "enable".
    "aoti": {
        "INFERENCE_MODE": bool,
        "ENABLE_WEIGHT_SHARING": bool,
        "CACHE_CLEANING_ENABLED": bool,
        **_THREADS,
    },
}
_SWITCH: Kind = ("0", "1")
_CUDA: dict[str, Kind] = {
    "gpu_mem_limit": int,
    "arena_extend_strategy": _SWITCH,
    "cudnn_conv_algo_search": ("0", "1", "2"),
    "cudnn_conv_use_max_workspace": _SWITCH,
    "cudnn_conv1d_pad_to_nc1d": _SWITCH,
    "do_copy_in_default_stream": _SWITCH,
    "enable_cuda_graph": _SWITCH,
    "enable_skip_layer_norm_strict_mode": _SWITCH,
    "prefer_nhwc": _SWITCH,
    "tunable_op_enable": _SWITCH,
    "tunable_op_tuning_enable": _SWITCH,
    "use_ep_level_unified_stream": _SWITCH,
    "use_tf32": _SWITCH,
}
_TENSORRT: dict[str, Kind] = {
    "precision_mode": ("FP32", "FP16", "INT8"),
    "max_workspace_size_bytes": int,
    "int8_calibration_table_name": str,
    "int8_use_native_calibration_table": _SWITCH,
    "trt_auxiliary_streams": int,
    "trt_build_heuristics_enable": _SWITCH,
    "trt_builder_optimization_level": int,
    "trt_context_memory_sharing_enable": _SWITCH,
    "trt_cuda_graph_enable": _SWITCH,
    "trt_engine_cache_enable": _SWITCH,
    "trt_engine_cache_path": str,
    "trt_engine_cache_prefix": str,
    "trt_force_sequential_engine_build": _SWITCH,
    "trt_layer_norm_fp32_fallback": _SWITCH,
    "trt_max_partition_iterations": int,
    "trt_min_subgraph_size": int,
    "trt_profile_max_shapes": str,
    "trt_profile_min_shapes": str,
    "trt_profile_opt_shapes": str,
    "trt_sparsity_enable": _SWITCH,
    "trt_timing_cache_enable": _SWITCH,
    "trt_timing_cache_path": str,
}
# Execution accelerators of ONNX Runtime, by device, with their parameters.
ACCELERATORS: dict[Device, dict[str, dict[str, Kind]]] = {
    Device.CPU: {"openvino": {}},
    Device.GPU: {"tensorrt": _TENSORRT, "cuda": _CUDA},
}


def text(value: Value) -> str:
    """A value in the format of a configuration: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def broken_rules(triton: Triton, format: Format, device: Device) -> list[str]:
    """Every parameter that the backend of a format would not read, as `key: found; allowed`."""
    broken = list(_values("triton.parameters", triton.parameters, PARAMETERS[format], format))
    if format != "onnx":
        if triton.graph_optimization != "all":
            broken.append(
                f"triton.graphOptimization: found {triton.graph_optimization} for a model in "
                f"format {format}; allowed: all, or a release in format onnx"
            )
        if triton.accelerators:
            broken.append(
                f"triton.accelerators: found {', '.join(triton.accelerators)} for a model in "
                f"format {format}; allowed: none, or a release in format onnx"
            )
        return broken
    known = ACCELERATORS[device]
    for name, parameters in triton.accelerators.items():
        key = f"triton.accelerators.{name}"
        if name in known:
            broken += _values(key, parameters, known[name], name)
        else:
            broken.append(
                f"{key}: found on device {device.value}; allowed there: {', '.join(known)}"
            )
    return broken


def _values(
    key: str, found: Mapping[str, Value], known: Mapping[str, Kind], owner: str
) -> Iterator[str]:
    for name, value in found.items():
        if name not in known:
            allowed = ", ".join(sorted(known)) or "none"
            yield f"{key}.{name}: found an unknown parameter; allowed for {owner}: {allowed}"
        elif wrong := _allowed(value, known[name]):
            yield f"{key}.{name}: found {value!r}; allowed: {wrong}"


def _allowed(value: Value, kind: Kind) -> str | None:
    """What is allowed, if this value isn't."""
    if isinstance(kind, tuple):
        # A stack's file has 1 as well as "1".
        fits = not isinstance(value, bool) and str(value) in kind
        return None if fits else " or ".join(kind)
    if kind is int:
        return None if type(value) is int and value >= 1 else "a whole number from 1"
    names = {bool: "true or false", str: "a text"}
    return None if type(value) is kind else names[kind]
