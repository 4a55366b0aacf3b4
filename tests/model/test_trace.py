"""Tracing: the networks that it accepts, and the messages for those that it refuses."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from torch import nn

from model.trace import canonical, signature, trace
from release.schema import ReleaseError

INPUTS = (torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0)),)


class Function(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def by_value(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1) * (2 if x[0, 0, 0, 0] > 0 else -1)


def by_batch(x: torch.Tensor) -> torch.Tensor:
    total = x.flatten(1)
    for _ in range(x.shape[0]):
        total = total + 1
    return total


@pytest.mark.parametrize("network", [by_value, by_batch])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_python_control_flow_is_detected(network: Any) -> None:
    with pytest.raises(ReleaseError, match=r"differ at batch size \d+: output 0 by [0-9.e+]+"):
        trace(Function(network), INPUTS)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda x: {"a": x}, "returns a dict as output 0; supported: a tensor"),
        (lambda x: x.sum(), r"shape \[\]: a scalar has no batch"),
        (lambda x: (x, "label"), "returns a str as output 1"),
    ],
)
def test_outputs_that_triton_cannot_serve_are_named(network: Any, message: str) -> None:
    with pytest.raises(ReleaseError, match=message):
        trace(Function(network), INPUTS)


def test_an_unsupported_dtype_is_named_with_the_supported_ones() -> None:
    with pytest.raises(ReleaseError, match=r"OUTPUT__0 has dtype torch.complex64; supported: bool"):
        signature(Function(lambda x: x.to(torch.complex64)), INPUTS)


def test_a_reduced_batch_is_refused() -> None:
    with pytest.raises(ReleaseError, match="the batch as first dimension"):
        signature(Function(lambda x: x.flatten(1).sum(0, keepdim=True)), INPUTS)


def test_the_signature_has_every_input_and_output_with_its_type() -> None:
    network = Function(lambda a, b: (a.flatten(1), b.long(), (a > 0)))
    inputs, outputs = signature(network, (INPUTS[0], torch.ones(64, 5, dtype=torch.int32)))
    assert [(t.name, t.dtype, t.dims) for t in inputs] == [
        ("INPUT__0", "FP32", (3, 8, 8)),
        ("INPUT__1", "INT32", (5,)),
    ]
    assert [(t.name, t.dtype, t.dims) for t in outputs] == [
        ("OUTPUT__0", "FP32", (192,)),
        ("OUTPUT__1", "INT64", (5,)),
        ("OUTPUT__2", "BOOL", (3, 8, 8)),
    ]


def test_a_traced_model_file_is_canonical_and_loads() -> None:
    content = trace(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), INPUTS)
    assert canonical(content) == content
    assert torch.jit.load(io.BytesIO(content))(INPUTS[0]).shape == (64, 4)
