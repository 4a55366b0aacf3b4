"""Formats: what is exported answers as the network does, and is the same bytes everywhere."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from model import formats
from model.formats import Signature, eager, torchscript, values
from model.formats.onnx import IR, OPSET
from release.schema import DTYPES, FORMAT_TYPES, MODEL_FILES, Format, ReleaseError, Tensor
from tests.model.networks import TEXT, Function, Text, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from model.formats import Program

ROOT = Path(__file__).parents[2]
FORMATS = get_args(Format)
FLOATS = Signature((Tensor("INPUT__0", "FP32", (4,)),), (Tensor("OUTPUT__0", "FP32", (4,)),))
# Operators that every type has in every format.
OUTPUTS = ("copy", "double", "total", "flags")


def load(
    network: nn.Module, inputs: Sequence[NDArray[Any]], signature: Signature, format: Format
) -> Program:
    """The exported network as a program, loaded from a file."""
    module = formats.module(format)
    exported = module.export(network.eval(), values(inputs), signature)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_FILES[format]
        path.write_bytes(exported.content)
        return module.load(path, signature)


def assert_alike(wanted: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]) -> None:
    assert [(item.dtype, item.shape) for item in found] == [
        (item.dtype, item.shape) for item in wanted
    ]
    for want, have in zip(wanted, found, strict=True):
        np.testing.assert_allclose(have.astype(float), want.astype(float), atol=1e-5)


@st.composite
def networks(draw: Any, format: Format) -> tuple[nn.Module, Signature, Callable[..., Any]]:
    """A network of random inputs and outputs, its signature, and a maker of inputs."""
    batching = draw(st.booleans())
    dtypes = [each for each in FORMAT_TYPES[format] if each not in ("BYTES", "UINT64")]
    inputs, outputs, kinds = [], [], []
    for index in range(draw(st.integers(1, 3))):
        dims = tuple(draw(st.lists(st.sampled_from((-1, 1, 3)), min_size=1, max_size=2)))
        dtype = draw(st.sampled_from(dtypes))
        inputs.append(Tensor(f"INPUT__{index}", dtype, dims))
    for index in range(draw(st.integers(1, 3))):
        source = draw(st.integers(0, len(inputs) - 1))
        kind = draw(st.sampled_from(OUTPUTS))
        kinds.append((source, kind))
        outputs.append(_output(f"OUTPUT__{index}", inputs[source], kind, batching=batching))

    def forward(*given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(_compute(given[source], kind, batching) for source, kind in kinds)

    def make(rows: int, varying: int) -> list[NDArray[Any]]:
        random = np.random.default_rng(rows)
        shapes = [tuple(varying if dim == -1 else dim for dim in each.dims) for each in inputs]
        return [
            random.integers(0, 3, (rows, *shape) if batching else shape).astype(DTYPES[each.dtype])
            for each, shape in zip(inputs, shapes, strict=True)
        ]

    return Function(forward), Signature(tuple(inputs), tuple(outputs), batching), make


def _output(name: str, source: Tensor, kind: str, *, batching: bool) -> Tensor:
    if kind == "total":
        return Tensor(name, "FP32", (1,), scalar=batching)
    first = source.dims[0]
    doubled = (first if first == -1 else 2 * first, *source.dims[1:])
    dims = doubled if kind == "double" else source.dims
    return Tensor(name, "BOOL" if kind == "flags" else source.dtype, dims)


def _compute(item: torch.Tensor, kind: str, batching: bool) -> torch.Tensor:
    if kind == "copy":
        return item.clone()
    if kind == "double":
        return torch.cat([item, item], int(batching))
    numbers = item.to(torch.float32)
    if kind == "flags":
        return numbers > 1
    return numbers.flatten(1).sum(1) if batching else numbers.sum().reshape(1)


@pytest.mark.parametrize("format", FORMATS)
def test_any_network_is_exported_with_its_types_and_answers_batches_of_any_size(
    format: Format,
) -> None:
    @settings(max_examples=5)
    @given(networks(format))
    def check(made: tuple[nn.Module, Signature, Callable[..., Any]]) -> None:
        network, signature, make = made
        loaded = load(network, make(2, 2), signature, format)
        for rows, varying in ((1, 1), (2, 5), (7, 3)):
            inputs = make(rows, varying)
            assert_alike(eager(network)(inputs), loaded(inputs))

    check()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("example", [(2, 6), (2, 1)])
def test_a_dimension_varies_whatever_it_is_in_the_example(
    format: Format, example: tuple[int, int]
) -> None:
    network = Text().eval()
    loaded = load(network, text(*example), TEXT, format)
    for rows, length in ((1, 1), (2, 5), (7, 300)):
        inputs = text(rows, length)
        assert_alike(eager(network)(inputs), loaded(inputs))


def test_two_processes_in_two_places_export_the_same_bytes(tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        # Another folder for the source, another order of sets.
        folder = tmp_path / ("place" * int(seed))
        source = folder / "tests" / "model" / "networks.py"
        source.parent.mkdir(parents=True)
        source.write_bytes((ROOT / "tests" / "model" / "networks.py").read_bytes())
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-W", "ignore", source, folder]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        texts.append(ended.stdout)
        for format in FORMATS:
            content = (folder / format).read_bytes()
            for private in (str(tmp_path), str(ROOT), "+cu", "+cpu"):
                assert private.encode() not in content, (format, private)
    assert texts[0] == texts[1]
    assert texts[0].count("\n") == len(FORMATS)


def test_an_onnx_file_has_the_names_of_the_signature_and_the_pinned_versions() -> None:
    exported = formats.module("onnx").export(Text().eval(), values(text(2, 6)), TEXT)
    file = onnx.load_model_from_string(exported.content)
    onnx.checker.check_model(file)
    assert (exported.opset, exported.ir) == (OPSET, IR)
    assert ({each.domain: each.version for each in file.opset_import}[""], file.ir_version) == (
        OPSET,
        IR,
    )
    assert [each.name for each in file.graph.input] == ["INPUT__0", "INPUT__1"]
    assert [each.name for each in file.graph.output] == ["OUTPUT__0", "OUTPUT__1"]
    for each in file.graph.input:
        assert all(dim.dim_param for dim in each.type.tensor_type.shape.dim)


def test_an_exported_program_has_no_example_of_the_author() -> None:
    inputs = (np.full((2, 4), 3.25, np.float32),)
    exported = formats.module("aoti").export(Function(torch.relu).eval(), values(inputs), FLOATS)
    (example,), named = torch.export.load(io.BytesIO(exported.content)).example_inputs
    assert example.shape == (2, 4)
    assert not example.any()
    assert not named


def by_value(x: torch.Tensor) -> torch.Tensor:
    return x * (2 if x[0, 0] > 0 else -1)


def by_batch(x: torch.Tensor) -> torch.Tensor:
    for _ in range(x.shape[0]):
        x = x + 1
    return x


def fixed(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(3, 4)


@pytest.mark.parametrize("format", ["onnx", "aoti"])
@pytest.mark.parametrize("function", [by_value, by_batch, fixed])
def test_what_torch_export_cannot_follow_is_refused_with_the_remedy(
    format: Format, function: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ReleaseError, match=r"torch\.export: .*; forward\(\) may not branch"
    ) as seen:
        load(Function(function), [np.ones((3, 4), np.float32)], FLOATS, format)
    assert "\n" not in str(seen.value)
    assert "def forward" not in capfd.readouterr().err


class Greeting(nn.Module):
    """Texts [batch] -> texts [batch], their lengths [batch]."""

    def forward(self, names: list[str]) -> tuple[list[str], torch.Tensor]:
        return ["hello " + name for name in names], torch.tensor([len(name) for name in names])


GREETING = Signature(
    (Tensor("INPUT__0", "BYTES", (1,), scalar=True),),
    (
        Tensor("OUTPUT__0", "BYTES", (1,), scalar=True),
        Tensor("OUTPUT__1", "INT64", (1,), scalar=True),
    ),
)
NAMES = np.array([b"Ada", "Zoë".encode()], object)


def test_a_network_with_texts_is_scripted() -> None:
    loaded = load(Greeting(), [NAMES], GREETING, "torchscript")
    texts, lengths = loaded([NAMES])
    assert texts.tolist() == [b"hello Ada", "hello Zoë".encode()]
    # A str of TorchScript is UTF-8: it has as many places as bytes.
    assert lengths.tolist() == [3, 4]


@pytest.mark.parametrize("format", ["onnx", "aoti"])
def test_texts_are_refused_where_the_format_has_none(format: Format) -> None:
    with pytest.raises(ReleaseError, match=r"INPUT__0 is text.*allowed: the format torchscript"):
        load(Greeting(), [NAMES], GREETING, format)


def arange(x: torch.Tensor) -> torch.Tensor:
    return x + torch.arange(x.shape[1], device=x.device)


def constant(x: torch.Tensor) -> torch.Tensor:
    return x * torch.tensor([1.0, 2.0, 3.0, 4.0])


def masked(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0, x, torch.zeros(4))


class Recurrent(nn.Module):
    """float32 [batch, 4] -> float32 [batch, 3]"""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.unsqueeze(1))[0][:, 0]


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    "network", [Function(arange), Function(constant), Function(masked), Recurrent()]
)
def test_a_traced_network_runs_on_another_device(network: nn.Module) -> None:
    # torch's device without data is another one on every machine; it refuses tensors of the CPU.
    x = torch.randn(3, 4)
    buffer = io.BytesIO()
    with torch.no_grad():
        torch.jit.save(torch.jit.trace(network.eval(), x, check_trace=False), buffer)
    buffer.seek(0)
    with pytest.raises(RuntimeError, match=r"device|meta"):
        torch.jit.load(buffer, map_location="meta")(x.to("meta"))
    content = torchscript.export(network, (x,), FLOATS).content
    found = torch.jit.load(io.BytesIO(content), map_location="meta")(x.to("meta"))
    assert found.device.type == "meta"
    assert torchscript.canonical(content) == content
