"""Signatures: what a build accepts comes back from its files with the same answers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import build as building
from model import formats
from model.definition import Definition
from model.discovery import Found
from model.reproducible import reproducible
from model.served import serve
from model.verify import verify
from release import tensors
from release.schema import DTYPES, FORMAT_TYPES, Format, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from release.schema import Release

TYPES = [dtype for dtype in FORMAT_TYPES["torchscript"] if dtype != "BYTES"]
# What an output is of an input; each answers a row from that row alone.
OPERATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "same": lambda x: x.clone(),
    "flat": lambda x: x.reshape(x.shape[0], -1),
    "one a row": lambda x: x.reshape(x.shape[0], -1).long().sum(1),
    "mean": lambda x: x.reshape(x.shape[0], -1).double().mean(1, keepdim=True),
    "positive": lambda x: x > 0,
    "largest": lambda x: x.reshape(x.shape[0], -1).float().argmax(1),
    "half": lambda x: (x.float() / 7).half(),
}


@dataclass
class Given:
    """Inputs as (dtype, row shape, which dims vary), and an operation on one input each."""

    inputs: list[tuple[str, tuple[int, ...], tuple[bool, ...]]]
    outputs: list[tuple[str, int]]


class Network(torch.nn.Module):  # type: ignore[misc]
    """Applies OPERATIONS."""

    def __init__(self, outputs: list[tuple[str, int]]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, *inputs: torch.Tensor) -> Any:
        found = tuple(OPERATIONS[name](inputs[index]) for name, index in self.outputs)
        return found if len(found) > 1 else found[0]


@st.composite
def networks(draw: st.DrawFn) -> Given:
    inputs = []
    for _ in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.lists(st.integers(2, 4), max_size=3)))
        varies = tuple(draw(st.booleans()) for _ in shape)
        inputs.append((draw(st.sampled_from(TYPES)), shape, varies))
    places = st.tuples(st.sampled_from(list(OPERATIONS)), st.integers(0, len(inputs) - 1))
    return Given(inputs, draw(st.lists(places, min_size=1, max_size=3)))


def examples(given: Given) -> list[tuple[torch.Tensor, ...]]:
    order = np.random.default_rng(0)
    batches = []
    for rows, longer in ((3, 0), (2, 1)):
        batch = []
        for dtype, shape, varies in given.inputs:
            sizes = [size + longer * vary for size, vary in zip(shape, varies, strict=True)]
            values = order.integers(0 if dtype[0] in "BU" else -50, 50, (rows, *sizes))
            batch.append(torch.from_numpy(values.astype(DTYPES[dtype])))
        batches.append(tuple(batch))
    return batches


def build(definition: Definition, folder: Path, format: Format = "torchscript") -> Release:
    with reproducible():
        built = building.make(definition, Found("mine", folder / "mine.py"), format)
    building.write(built, folder)
    return built.release


def answers(release: Release, folder: Path, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What the files answer to a client."""
    shape = formats.Signature(release.inputs, release.outputs, release.batching)
    program = formats.module(release.format).load(folder / "mine" / release.model_file, shape)
    names = [tensor.name for tensor in release.inputs]
    return serve(program, release)(dict(zip(names, inputs, strict=True)))


@given(network=networks(), format=st.sampled_from(["torchscript", "aoti", "onnx"]))
@settings(max_examples=15)
def test_what_a_build_accepts_comes_back_with_the_same_answers(
    network: Given, format: Format
) -> None:
    definition = Definition(
        network=lambda: Network(network.outputs), examples=lambda: examples(network)
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        release = build(definition, folder, format)
        assert [(tensor.dtype, tensor.scalar, tensor.dims) for tensor in release.inputs] == [
            (
                dtype,
                not shape,
                tuple(-1 if vary else size for size, vary in zip(shape, varies, strict=True))
                or (1,),
            )
            for dtype, shape, varies in network.inputs
        ]
        assert verify("mine", folder, folder / "lock.json") == release
        batch = examples(network)[1]
        wanted = Network(network.outputs)(*batch)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        clients = [
            item.numpy().reshape(len(item), -1) if item.dim() < 2 else item.numpy()
            for item in batch
        ]
        found = answers(release, folder, clients)
        for tensor, want in zip(release.outputs, wanted, strict=True):
            have = found[tensor.name]
            assert have.dtype == DTYPES[tensor.dtype]
            assert tensors.has_shape(have.shape, tensor, batching=True)
            np.testing.assert_array_equal(have.reshape(want.shape), want.numpy())
        for tensor in release.inputs:
            raw = (folder / "mine" / "warmup" / tensor.name).read_bytes()
            row = tensors.decode(raw, tensor.dtype, release.warmup[tensor.name].shape)
            assert tensors.has_shape(row.shape, tensor, batching=False)
        for sample in release.samples:
            for tensor, array in zip(release.inputs, sample.inputs, strict=True):
                assert tensors.has_shape(array.shape, tensor, batching=True)
                assert array.shape[0] == 1


@pytest.mark.parametrize("format", ["torchscript", "onnx", "aoti"])
def test_a_release_answers_alike_in_every_format(format: Format, tmp_path: Path) -> None:
    network = Given(
        [("FP32", (4,), (False,)), ("INT64", (3,), (True,)), ("BOOL", (), ())],
        [("flat", 0), ("one a row", 1), ("positive", 0), ("same", 2), ("half", 0)],
    )
    definition = Definition(
        network=lambda: Network(network.outputs), examples=lambda: examples(network)
    )
    release = build(definition, tmp_path, format)
    assert release.format == format
    assert [tensor.dims for tensor in release.inputs] == [(4,), (-1,), (1,)]
    assert verify("mine", tmp_path, tmp_path / "lock.json") == release


def test_a_network_without_a_batch_has_whole_shapes(tmp_path: Path) -> None:
    definition = Definition(
        network=lambda: Network([("same", 0), ("flat", 1)]),
        examples=lambda: [
            (torch.ones(2, 3), torch.ones(1, 2)),
            (torch.ones(5, 3), torch.ones(1, 2)),
        ],
        batching=False,
    )
    release = build(definition, tmp_path)
    assert [tensor.dims for tensor in release.inputs] == [(-1, 3), (1, 2)]
    assert [sample.inputs[0].shape for sample in release.samples] == [(2, 3), (5, 3)]
    assert release.warmup["INPUT__0"].shape == (2, 3)
    assert verify("mine", tmp_path, tmp_path / "lock.json") == release


class Texts(torch.nn.Module):  # type: ignore[misc]
    """A text a row -> the same text with a mark, and its length."""

    def forward(self, texts: list[str]) -> tuple[list[str], torch.Tensor]:
        marked: list[str] = []
        lengths: list[int] = []
        for text in texts:
            marked.append(text + "!")
            lengths.append(len(text))
        return marked, torch.tensor(lengths)


def test_texts_are_bytes_in_a_release(tmp_path: Path) -> None:
    definition = Definition(network=Texts, examples=lambda: [(["one", "two", "three"],)])
    release = build(definition, tmp_path)
    assert [str(tensor) for tensor in release.inputs + release.outputs] == [
        "INPUT__0 BYTES [1]",
        "OUTPUT__0 BYTES [1]",
        "OUTPUT__1 INT64 [1]",
    ]
    assert verify("mine", tmp_path, tmp_path / "lock.json") == release
    found = answers(release, tmp_path, [np.array([["ä"], ["bc"]], object)])
    assert found["OUTPUT__0"].tolist() == [["ä!".encode()], [b"bc!"]]
    assert (tmp_path / "mine" / "warmup" / "INPUT__0").read_bytes() == b"\x03\0\0\0one"


def test_texts_are_refused_in_the_other_formats(tmp_path: Path) -> None:
    definition = Definition(network=Texts, examples=lambda: [(["one", "two", "three"],)])
    for format in ("onnx", "aoti"):
        with pytest.raises(ReleaseError, match=r"INPUT__0.*allowed"):
            build(definition, tmp_path, format)


def test_half_precision_and_double_precision_are_kept(tmp_path: Path) -> None:
    definition = Definition(
        network=lambda: Network([("same", 0), ("same", 1)]),
        examples=lambda: [(torch.randn(4, 3).half(), torch.randn(4, 3).double())],
    )
    release = build(definition, tmp_path)
    assert [tensor.dtype for tensor in release.outputs] == ["FP16", "FP64"]
    assert np.array_equal(release.samples[0].outputs[1].raw, release.samples[0].inputs[1].raw)
