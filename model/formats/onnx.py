"""ONNX: exported by torch.onnx on torch.export, for Triton's ONNX Runtime backend.

ONNX Runtime refuses a file whose operator set or IR version is newer than its own. Exports have
OPSET and IR, which every ONNX Runtime from 1.18 on takes, so every Triton container from 24.05 on;
an imported file keeps its own, and infra/config/containers.py says which container takes it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch

from model.formats import Exported, Program, Signature, Values
from model.formats.exporting import capture, quiet, reason
from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from release.schema import Tensor

__all__ = ["IR", "OPSET", "declared", "export", "load", "open_session", "program"]

OPSET, IR = 18, 10
# Size of protobuf's largest message.
MAX_BYTES = 2**31 - 1
# Fields of ONNX that no runtime needs. They name source files and the machine's torch.
SOURCES = ("doc_string", "metadata_props", "producer_version", "value_info")


def export(network: torch.nn.Module, examples: Values, signature: Signature) -> Exported:
    """Export a network in evaluation mode; the same weights and code give the same bytes.

    Raises ReleaseError if torch.export can't follow forward(), if an operator has no ONNX form, or
    if the file would be larger than MAX_BYTES.
    """
    exported = capture(network, examples, signature)
    try:
        with quiet():
            made = torch.onnx.export(
                exported,
                input_names=[tensor.name for tensor in signature.inputs],
                output_names=[tensor.name for tensor in signature.outputs],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        raise ReleaseError(
            f"torch.onnx: {reason(error)}; take the format torchscript or aoti, or other operators "
            "in forward()"
        ) from error
    assert made is not None
    model = made.model_proto
    _clear(model)
    for output, tensor in zip(model.graph.output, signature.outputs, strict=True):
        _declare(output.type.tensor_type.shape, tensor, batching=signature.batching)
    model.ir_version = IR
    if model.ByteSize() > MAX_BYTES:
        raise ReleaseError(
            f"the ONNX file would have {model.ByteSize():,} bytes; allowed: {MAX_BYTES:,}; take "
            "the format torchscript or aoti"
        )
    return Exported(model.SerializeToString(deterministic=True), OPSET, IR)


def _declare(shape: Any, tensor: Tensor, *, batching: bool) -> None:
    """Give an output the dims of the signature, where the exporter left one open.

    Triton's backend refuses a file whose outputs have other dims than config.pbtxt.
    """
    own = [] if tensor.scalar else tensor.dims
    for dim, size in zip(list(shape.dim)[batching:], own, strict=True):
        if size != -1:
            dim.dim_value = size


def declared(
    session: onnxruntime.InferenceSession, outputs: tuple[Tensor, ...], *, batching: bool
) -> tuple[Tensor, ...]:
    """The outputs with the dims of a file: -1 where it leaves one open.

    Raises ReleaseError if the file fixes the size of the batch.
    """
    made = []
    for node, tensor in zip(session.get_outputs(), outputs, strict=True):
        dims = [size if isinstance(size, int) else -1 for size in node.shape]
        if batching and dims[:1] != [-1]:
            raise ReleaseError(
                f"output {node.name} has the shape {node.shape}; allowed: a first dimension of any "
                "size, as dynamic_shapes of torch.onnx.export makes it; or import it with "
                "--no-batching"
            )
        made.append(tensor if tensor.scalar else replace(tensor, dims=tuple(dims[batching:])))
    return tuple(made)


def _clear(message: Any) -> None:
    """Clear SOURCES in a message of protobuf and in those that it holds."""
    for field, value in message.ListFields():
        if field.name in SOURCES:
            message.ClearField(field.name)
        elif field.message_type is not None:
            # A field that holds one message, or many.
            for each in [value] if hasattr(value, "ListFields") else value:
                _clear(each)


def load(path: Path, signature: Signature) -> Program:
    """The program of a model.onnx, on the CPU. Raises ReleaseError."""
    inputs, outputs = (
        [tensor.name for tensor in tensors] for tensors in (signature.inputs, signature.outputs)
    )
    return program(open_session(path.read_bytes(), str(path)), inputs, outputs)


def open_session(content: bytes, source: str) -> onnxruntime.InferenceSession:
    """ONNX Runtime with a file. Raises ReleaseError, which names `source`, if it can't load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # What is raised needs not be logged.
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ReleaseError(f"{source}: ONNX Runtime: {reason(error)}") from error


def program(
    session: onnxruntime.InferenceSession, inputs: Sequence[str], outputs: Sequence[str]
) -> Program:
    """A program with inputs and outputs in the order of their names."""

    def run(arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], ...]:
        given = {
            name: _convert(array, bytes.decode) for name, array in zip(inputs, arrays, strict=True)
        }
        found = session.run(list(outputs), given)
        return tuple(_convert(array, str.encode) for array in found)

    return run


def _convert(array: NDArray[Any], how: Any) -> NDArray[Any]:
    """Texts, which are bytes in a program and str in ONNX Runtime; any other array as it is."""
    if array.dtype != object:
        return array
    made = np.empty(array.shape, object)
    made.ravel()[:] = [how(each) for each in array.ravel()]
    return made
