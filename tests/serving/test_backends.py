"""What Triton's backends refuse: at the load of a model, or as the answer to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.serving.conftest import Server

NAME = "net"
X = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


class Add(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


class ListOfTensors(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x, x]


class ListInTuple(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        return x, [x]


class Dictionary(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": x}


class Scalar(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class OneRow(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(0, keepdim=True)


class Number(torch.nn.Module):
    def forward(self, x: torch.Tensor, factor: float) -> torch.Tensor:
        return x * factor


class Fails(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x


class Texts(torch.nn.Module):
    def forward(self, x: list[str]) -> tuple[torch.Tensor, list[str]]:
        return torch.tensor([len(text) for text in x]), [text.upper() for text in x]


def config(*tensors: str, platform: str = "pytorch_libtorch", most: int = 8) -> str:
    """Text of a config; a tensor is `input NAME TYPE DIMS`, where DIMS may end with a reshape."""
    made = [f'name: "{NAME}"', f'platform: "{platform}"', f"max_batch_size: {most}"]
    for tensor in tensors:
        kind, name, dtype, dims = tensor.split(" ", 3)
        made.append(f'{kind} {{ name: "{name}" data_type: TYPE_{dtype} dims: {dims} }}')
    return "\n".join([*made, "dynamic_batching { }", ""] if most else [*made, ""])


IN, OUT = "input INPUT__0 FP32 [3]", "output OUTPUT__0 FP32 [3]"


def put(server: Server, text: str, file: str, write: Callable[[Path], Any]) -> None:
    folder = server.repository / NAME / "1"
    folder.mkdir(parents=True)
    write(folder / file)
    (folder.parent / "config.pbtxt").write_text(text)


def put_script(server: Server, text: str, network: torch.nn.Module) -> None:
    script = torch.jit.script(network)
    put(server, text, "model.pt", lambda path: torch.jit.save(script, str(path)))


def answer(server: Server) -> dict[str, Any]:
    return server.infer(NAME, {"INPUT__0": ("FP32", X)})


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (ListOfTensors(), r"output must be of type Tensor or List\[str\], received List\[Tensor\]"),
        (ListInTuple(), r"output at index 1 must be of type Tensor or List\[str\]"),
        (Dictionary(), "It should not be a List / Dictionary of Tensors or a Scalar"),
        (Scalar(), "output 'OUTPUT__0' is a scalar which is not supported"),
        (OneRow(), r"output 'OUTPUT__0' has shape \[1, 3\], not one row for each of 2 rows"),
        (Fails(), "PyTorch execute failure: "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, torch.nn.Module) else "",
)
def test_outputs_that_the_pytorch_backend_refuses(
    server: Server, network: torch.nn.Module, message: str
) -> None:
    put_script(server, config(IN, OUT), network)
    with server.loaded(NAME), pytest.raises(InferenceServerException, match=message):
        answer(server)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ((IN, "output OUTPUT__0 INT64 [3]"), "expects datatype TYPE_INT64 for output 'OUTPUT__0'"),
        ((IN, OUT, "output OUTPUT__1 FP32 [3]"), "The output OUTPUT__1 in the model configuration"),
    ],
)
def test_outputs_that_differ_from_the_config(
    server: Server, tensors: Sequence[str], message: str
) -> None:
    put_script(server, config(*tensors), Add())
    with server.loaded(NAME), pytest.raises(InferenceServerException, match=message):
        answer(server)


@pytest.mark.parametrize(
    ("network", "tensors", "message"),
    [
        (
            Add(),
            (IN, "input INPUT__1 FP32 [3]", OUT),
            "configuration expects 2 inputs, model provides 1",
        ),
        (Number(), (IN, "input INPUT__1 FP32 [1]", OUT), "An input of type 'float' was detected"),
        (Add(), ("input INPUT__0 UINT16 [3]", OUT), "unsupported datatype TYPE_UINT16"),
        (Add(), ("input x FP32 [3]", OUT), "'x' does not follow <name>__<index> naming convention"),
        (Texts(), ("input INPUT__0 STRING [3]", OUT), "only supports 1 dimensional List of String"),
    ],
)
def test_configs_that_the_pytorch_backend_refuses(
    server: Server, network: torch.nn.Module, tensors: Sequence[str], message: str
) -> None:
    put_script(server, config(*tensors), network)
    with pytest.raises(InferenceServerException, match=message), server.loaded(NAME):
        pass


def test_texts_are_lists_of_str(server: Server) -> None:
    tensors = (
        "input INPUT__0 STRING [1] reshape { shape: [] }",
        "output OUTPUT__0 INT64 [1] reshape { shape: [] }",
        "output OUTPUT__1 STRING [1] reshape { shape: [] }",
    )
    put_script(server, config(*tensors), Texts())
    sent = np.array([[b"ab"], ["ü".encode()], [b""]], object)
    with server.loaded(NAME):
        found = server.infer(NAME, {"INPUT__0": ("BYTES", sent)})
    # A str of TorchScript is bytes, also for len() and upper().
    assert found["OUTPUT__0"].tolist() == [[2], [2], [0]]
    assert found["OUTPUT__1"].tolist() == [[b"AB"], ["ü".encode()], [b""]]


def add_one(shape: Sequence[int | str], out: Sequence[int | str]) -> bytes:
    """An ONNX file: y = x + 1, with these shapes of x and y."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "one"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    ).SerializeToString()
    onnx.checker.check_model(made)
    return made


@pytest.mark.parametrize(
    ("tensors", "shapes", "message"),
    [
        (("input z FP32 [3]", "output y FP32 [3]"), None, "unexpected inference input 'z'"),
        (("input x FP32 [3]", "output z FP32 [3]"), None, "unexpected inference output 'z'"),
        (("input x FP64 [3]", "output y FP32 [3]"), None, "datatype TYPE_FP64 for input 'x'"),
        (("input x FP32 [3]", "input z FP32 [3]", "output y FP32 [3]"), None, "expects 2 inputs"),
        (("input x FP32 [4]", "output y FP32 [3]"), None, r"model expects 2 dimensions \(shape"),
        # An input's dims may be fixed where the file's vary; an output's may not.
        (("input x FP32 [3]", "output y FP32 [3]"), ("n", "n"), "tensor 'y': the model expects 2"),
        (("input x FP32 [3]", "output y FP32 [3]"), (2, 3), "the first dimension must be -1"),
    ],
)
def test_configs_that_the_onnx_backend_refuses(
    server: Server, tensors: Sequence[str], shapes: Sequence[int | str] | None, message: str
) -> None:
    shape = shapes or ("n", 3)
    text = config(*tensors, platform="onnxruntime_onnx")
    put(server, text, "model.onnx", lambda path: path.write_bytes(add_one(shape, shape)))
    with pytest.raises(InferenceServerException, match=message), server.loaded(NAME):
        pass


def test_onnx_runtime_has_the_configs_settings(server: Server) -> None:
    text = config("input x FP32 [-1]", "output y FP32 [-1]", platform="onnxruntime_onnx")
    text += "optimization { graph { level: 2 } }\n"
    for key, value in {
        "intra_op_thread_count": "1",
        "execution_mode": "1",
        "inter_op_thread_count": "2",
        "enable_mem_pattern": "0",
        "enable_mem_arena": "0",
        "memory.enable_memory_arena_shrinkage": "cpu:0",
    }.items():
        text += f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'
    shape = ("n", "m")
    content = add_one(shape, shape)
    # An arena that there is not can't be shrunk: so both settings have arrived.
    put(server, text, "model.onnx", lambda path: path.write_bytes(content))
    with server.loaded(NAME), pytest.raises(InferenceServerException, match="arena"):
        server.infer(NAME, {"x": ("FP32", X)})
    put(
        server,
        text[: text.index('parameters { key: "memory')],
        "model.onnx",
        lambda path: path.write_bytes(content),
    )
    with server.loaded(NAME):
        found = server.infer(NAME, {"x": ("FP32", X)})
    np.testing.assert_array_equal(found["y"], X + 1)
