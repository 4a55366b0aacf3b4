"""A parameter that the backend would ignore fails the preview."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.config import Triton
from infra.config.backends import ACCELERATORS, PARAMETERS, broken_rules
from infra.config.types import Device

if TYPE_CHECKING:
    from release.schema import Format


def broken(format: Format, device: Device = Device.GPU, **triton: Any) -> str:
    return "\n".join(broken_rules(Triton(**triton), format, device))


@pytest.mark.parametrize(
    ("format", "parameters"),
    [
        ("torchscript", {"INFERENCE_MODE": True, "INTRA_OP_THREAD_COUNT": 2}),
        ("onnx", {"intra_op_thread_count": 2, "execution_mode": 1, "enable_mem_arena": "0"}),
        ("aoti", {"ENABLE_WEIGHT_SHARING": True}),
    ],
)
def test_parameters_of_the_format_are_allowed(format: Format, parameters: Any) -> None:
    assert broken(format, parameters=parameters) == ""


@pytest.mark.parametrize("format", PARAMETERS)
def test_an_unknown_one_is_named_with_those_that_the_backend_reads(format: Format) -> None:
    message = broken(format, parameters={"ENABLE_MAGIC": True})
    assert message.startswith("triton.parameters.ENABLE_MAGIC: found an unknown parameter")
    assert message.endswith(f"allowed for {format}: {', '.join(sorted(PARAMETERS[format]))}")


def test_one_of_another_format_is_unknown() -> None:
    assert "INTRA_OP_THREAD_COUNT: found" in broken("onnx", parameters={"INTRA_OP_THREAD_COUNT": 2})


@pytest.mark.parametrize(
    ("format", "name", "value", "allowed"),
    [
        ("torchscript", "INTRA_OP_THREAD_COUNT", 0, "a whole number from 1"),
        ("torchscript", "INTRA_OP_THREAD_COUNT", True, "a whole number from 1"),
        ("torchscript", "INFERENCE_MODE", 1, "true or false"),
        ("onnx", "execution_mode", 2, "0 or 1"),
        ("onnx", "execution_mode", True, "0 or 1"),
        ("onnx", "memory.enable_memory_arena_shrinkage", 0, "a text"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    format: Format, name: str, value: Any, allowed: str
) -> None:
    message = broken(format, parameters={name: value})
    assert message == f"triton.parameters.{name}: found {value!r}; allowed: {allowed}"


def test_accelerators_are_those_of_the_device() -> None:
    for device, known in ACCELERATORS.items():
        assert broken("onnx", device, accelerators={key: {} for key in known}) == ""
    message = broken("onnx", Device.CPU, accelerators={"tensorrt": {}})
    assert message == "triton.accelerators.tensorrt: found on device cpu; allowed there: openvino"


def test_an_accelerators_parameters_are_a_closed_list_too() -> None:
    assert broken("onnx", accelerators={"tensorrt": {"precision_mode": "FP16"}}) == ""
    message = broken("onnx", accelerators={"tensorrt": {"precision_mode": "FP8"}})
    assert message.endswith("found 'FP8'; allowed: FP32 or FP16 or INT8")
    assert "cuda.fast: found an unknown" in broken("onnx", accelerators={"cuda": {"fast": True}})


@pytest.mark.parametrize("format", ["torchscript", "aoti"])
def test_onnx_runtimes_settings_are_for_its_format(format: Format) -> None:
    message = broken(format, accelerators={"cuda": {}}, graph_optimization="none")
    assert "triton.accelerators: found cuda for a model in format" in message
    assert "triton.graphOptimization: found none" in message
