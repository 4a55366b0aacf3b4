"""V2 requests as bytes: what is read and written, and which message a wrong one gets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release import tensors
from release.schema import DTYPES, File, ImageInput, Release, Tensor, Warmup
from tests.release.strategies import arrays_of
from transformer import v2, v2_answer
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from transformer.v2 import Request


def release(*inputs: Tensor, outputs: tuple[Tensor, ...] = (), **more: Any) -> Release:
    return Release(
        name="m",
        format="onnx",
        model=File("0" * 64, 1),
        torch="2.12.1",
        inputs=inputs,
        outputs=outputs or tuple(Tensor(f"OUT_{n}", t.dtype, t.dims) for n, t in enumerate(inputs)),
        samples=(),
        warmup={each.name: Warmup("0" * 64, (1,) * len(each.dims)) for each in inputs},
        **more,
    )


def parse(body: bytes, served: Release, length: bytes | None = None) -> Request:
    return v2.parse(*v2.split(body, length), served)


def written(arrays: dict[str, tuple[str, NDArray[Any], bool]], **more: Any) -> tuple[bytes, bytes]:
    """A request's body and the length of its JSON; for each input its type, and whether raw."""
    inputs, parts = [], []
    for name, (dtype, array, binary) in arrays.items():
        item: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": dtype}
        if binary:
            parts.append(tensors.encode(array, dtype))
            item["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            item["data"] = tensors.plain(array)
        inputs.append(item)
    head = json.dumps({"inputs": inputs, **more}).encode()
    return b"".join((head, *parts)), b"%d" % len(head)


@st.composite
def requests(draw: st.DrawFn) -> tuple[Release, dict[str, tuple[str, NDArray[Any], bool]]]:
    batching, rows = draw(st.booleans()), draw(st.integers(1, 3))
    signature, arrays = [], {}
    for index in range(draw(st.integers(1, 3))):
        dtype = draw(st.sampled_from(list(DTYPES)))
        dims = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
        varies = draw(st.lists(st.booleans(), min_size=len(dims), max_size=len(dims)))
        declared = tuple(-1 if v else dim for v, dim in zip(varies, dims, strict=True))
        signature.append(Tensor(f"IN_{index}", dtype, declared))
        shape = (rows, *dims) if batching else dims
        arrays[f"IN_{index}"] = (dtype, draw(arrays_of(dtype, shape)), draw(st.booleans()))
    return release(*signature, batching=batching), arrays


@given(requests(), st.booleans(), st.text(max_size=5))
@settings(deadline=None)
def test_what_a_client_writes_is_read_and_answered_in_json_and_in_binary(
    request: tuple[Release, dict[str, tuple[str, NDArray[Any], bool]]], binary: bool, id: str
) -> None:
    served, arrays = request
    body, length = written(arrays, id=id, parameters={"binary_data_output": binary})
    found = parse(body, served, length)
    for name, (dtype, array, _) in arrays.items():
        assert tensors.encode(found.inputs[name], dtype) == tensors.encode(array, dtype)
        assert found.inputs[name].shape == array.shape
    values = [found.inputs[tensor.name] for tensor in served.inputs]
    start, answer = v2_answer.render(served, found, values)
    assert (start is not None) == binary
    head = json.loads(answer[:start] if start else answer)
    assert head.get("id", "") == id
    raw = memoryview(answer)[start or len(answer) :]
    for described, (dtype, array, _) in zip(head["outputs"], arrays.values(), strict=True):
        assert (described["datatype"], tuple(described["shape"])) == (dtype, array.shape)
        if binary:
            size = described["parameters"]["binary_data_size"]
            assert bytes(raw[:size]) == tensors.encode(array, dtype)
            raw = raw[size:]
        else:
            back = tensors.from_json(described["data"], dtype).reshape(array.shape)
            assert tensors.encode(back, dtype) == tensors.encode(array, dtype)
    assert not raw


@given(requests(), st.data())
@settings(deadline=None)
def test_a_damaged_request_is_refused_or_read(
    request: tuple[Release, dict[str, tuple[str, NDArray[Any], bool]]], data: st.DataObject
) -> None:
    served, arrays = request
    whole, length = written(arrays)
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=6)):
        damaged[place : place + 1] = data.draw(st.binary(max_size=2))
    given = data.draw(st.sampled_from([length, None, b"0", b"-1", b"1e3", b"", "²".encode()]))
    try:
        found = parse(bytes(damaged), served, given)
    except RequestError as error:
        assert error.status in (400, 413)
    else:
        assert found.inputs.keys() == {tensor.name for tensor in served.inputs}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = ["name", "shape", "datatype", "data", "parameters", "id", "inputs", "outputs"]
FIELDS += ["binary_data_size", "binary_data", "classification", "binary_data_output"]


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_any_json_in_any_field_is_refused_or_read(data: st.DataObject) -> None:
    served = release(Tensor("IN", "FP32", (-1,)), outputs=(Tensor("OUT", "FP32", (-1,)),))
    document: Any = {
        "id": "x",
        "inputs": [{"name": "IN", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}],
        "outputs": [{"name": "OUT", "parameters": {"classification": 1}}],
        "parameters": {"binary_data_output": True},
    }
    place = data.draw(
        st.sampled_from(
            [
                document,
                document["inputs"][0],
                document["outputs"][0],
                document["outputs"][0]["parameters"],
                document["parameters"],
            ]
        )
    )
    place[data.draw(st.sampled_from([*place, *FIELDS]))] = data.draw(VALUES)
    try:
        parse(json.dumps(document).encode(), served)
    except RequestError as error:
        assert error.status == 400


TWO = release(
    Tensor("A", "FP32", (2,)),
    Tensor("B", "BYTES", (1,)),
    outputs=(Tensor("OUT", "FP32", (2,), ("x", "y")), Tensor("TEXT", "BYTES", (1,))),
)
PICTURE = release(
    Tensor("IN", "FP32", (3, 4, 4)),
    image=ImageInput(width=4, height=4, mean=(0.5,) * 3, std=(0.5,) * 3),
)


def good() -> Any:
    return {
        "inputs": [
            {"name": "A", "shape": [1, 2], "datatype": "FP32", "data": [[1, 2]]},
            {"name": "B", "shape": [1, 1], "datatype": "BYTES", "data": ["x"]},
        ],
        "outputs": [{"name": "OUT"}],
    }


WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda r: r.update(inputs=[]), "no inputs; allowed: "),
    (lambda r: r.update(inputs={}), "inputs: found dict; allowed: a list"),
    (lambda r: r["inputs"].pop(), "input B is missing"),
    (lambda r: r["inputs"][0].update(name="C"), "input 'C'; allowed: A, B"),
    (lambda r: r["inputs"][1].update(name="A"), "inputs[1]: A is there twice"),
    (lambda r: r["inputs"][1].pop("name"), "inputs[1]: allowed: an object with a name"),
    (lambda r: r["inputs"][0].update(datatype="FP64"), "input A: datatype FP64; allowed: FP32"),
    (lambda r: r["inputs"][0].update(shape=[2]), "input A: shape [2]; allowed: [-1, 2]"),
    (lambda r: r["inputs"][0].update(shape=[1, -2]), "input A: shape [1, -2]; allowed: [-1, 2]"),
    (lambda r: r["inputs"][0].update(shape=[1, True]), "input A: shape [1, True]; allowed: "),
    (lambda r: r["inputs"][0].update(data=[1]), "input A: cannot reshape array of size 1"),
    (lambda r: r["inputs"][0].update(data=[1, "2"]), "input A: found str; allowed in FP32: "),
    (lambda r: r["inputs"][0].pop("data"), "input A: no data, and no parameter binary_data_size"),
    (lambda r: r["inputs"][1].update(data=[7]), "input B: found int; allowed in BYTES: texts"),
    (
        lambda r: r["inputs"][1].update(shape=[2, 1], data=["x", "y"]),
        "rows: A 1, B 2; allowed: one or more, as many in each input",
    ),
    (
        lambda r: r["inputs"][0].update(parameters={"binary_data_size": 8}),
        "input A: binary_data_size 8; 0 bytes are left in the body",
    ),
    (
        lambda r: r["inputs"][0].update(parameters={"shared_memory_region": "x"}),
        "A: parameter 'shared_memory_region'; allowed: binary_data_size",
    ),
    (
        lambda r: r.update(parameters={"sequence_id": 7}),
        "request: parameter 'sequence_id'; allowed: binary_data_output",
    ),
    (lambda r: r.update(id=7), "id: allowed: a text of 1024 characters at most"),
    (lambda r: r["outputs"][0].update(name="A"), "output 'A'; allowed: OUT, TEXT"),
    (lambda r: r["outputs"].append({"name": "OUT"}), "outputs[1]: OUT is there twice"),
    (
        lambda r: r["outputs"][0].update(parameters={"classification": "1"}),
        "output OUT: classification; allowed: a number of classes",
    ),
    (
        lambda r: r["outputs"][0].update(name="TEXT", parameters={"classification": 1}),
        "output TEXT: classification; allowed: outputs of numbers",
    ),
    (
        lambda r: r["outputs"][0].update(parameters={"binary_data": 1}),
        "output OUT: parameter binary_data; allowed: true or false",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_request_is_refused_with_the_tensor(
    change: Callable[[Any], Any], message: str
) -> None:
    request = good()
    parse(json.dumps(request).encode(), TWO)
    change(request)
    with pytest.raises(RequestError) as error:
        parse(json.dumps(request).encode(), TWO)
    assert error.value.status == 400
    assert error.value.message.startswith(message)


RAW: list[tuple[bytes, str]] = [
    (b"", "input A: binary_data_size 8; 0 bytes are left"),
    (b"\0" * 8, "input B: binary_data_size 5; 0 bytes are left"),
    (b"\0" * 8 + b"\1\0\0\0x" + b"y", "1 bytes behind those of the last input"),
    (b"\0" * 8 + b"\xff\0\0\0x", "input B: 5 bytes end within a text of 255"),
    (b"\0" * 8 + b"\0\0\0\0x", "input B: 5 bytes end within the length of a text"),
]


@pytest.mark.parametrize(("raw", "message"), RAW, ids=[message for _, message in RAW])
def test_wrong_raw_bytes_are_refused_with_the_tensor(raw: bytes, message: str) -> None:
    inputs: dict[str, Any] = {
        "A": ("FP32", np.zeros((1, 2), np.float32), True),
        "B": ("BYTES", np.array([["x"]], object), True),
    }
    body, length = written(inputs)
    parse(body, TWO, length)
    with pytest.raises(RequestError) as error:
        parse(body[: int(length)] + raw, TWO, length)
    assert error.value.message.startswith(message)


def test_the_size_of_raw_bytes_is_that_of_type_and_shape() -> None:
    body, length = written({"A": ("FP32", np.zeros((1, 2), np.float64), True)})
    with pytest.raises(RequestError, match=r"input A: 16 bytes in the body|input B is missing"):
        parse(body, TWO, length)
    one = release(Tensor("A", "FP32", (2,)))
    with pytest.raises(RequestError, match=r"input A: 8 bytes; FP32 \[2, 2\] has 16"):
        wrong = body.replace(b"[1, 2]", b"[2, 2]").replace(b'size": 16', b'size": 8 ')
        parse(wrong[: int(length)] + b"\0" * 8, one, length)


def test_pictures_stand_for_the_input_of_an_image_model() -> None:
    body, length = written({"image_bytes": ("BYTES", np.array([b"a", b"\0"], object), True)})
    assert parse(body, PICTURE, length).pictures == [b"a", b"\0"]
    both: dict[str, Any] = {
        "image_bytes": ("BYTES", np.array(["a"], object), False),
        "IN": ("FP32", np.zeros((1, 3, 4, 4)), False),
    }
    for inputs, message in [
        (both, "input 'IN'; allowed: image_bytes, IN"),
        ({"x": both["image_bytes"]}, "input 'x'; allowed: image_bytes, IN"),
        ({"image_bytes": ("BYTES", np.empty(0, object), False)}, "rows"),
        ({"image_bytes": ("BYTES", np.array([["a"]], object), False)}, "input image_bytes: shape"),
    ]:
        with pytest.raises(RequestError) as error:
            parse(written(inputs)[0], PICTURE)
        assert error.value.message.startswith(message)
    with pytest.raises(RequestError, match="input 'image_bytes'; allowed: A, B"):
        parse(body, TWO, length)
