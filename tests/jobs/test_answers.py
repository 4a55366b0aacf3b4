"""Comparison of answers with the release."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jobs.http_client import Response
from jobs.protocols import HEADER_LENGTH, infer_outputs, infer_request
from jobs.verify.answers import check_metadata, check_outputs, check_predictions
from jobs.verify.endpoint import Metadata, WrongAnswerError
from release.schema import DTYPES, Sample, Tensor
from release.tensors import array
from tests.release.examples import image, tensors, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TOLERANCE = 1e-3


@pytest.mark.parametrize("batch", [(), (-1,)])
def test_signature_is_equal_with_and_without_the_batch(batch: tuple[int, ...]) -> None:
    release = tensors()
    found = Metadata(
        tuple(replace(each, dims=batch + each.dims) for each in release.inputs),
        tuple(replace(each, dims=batch + each.dims) for each in release.outputs),
    )
    check_metadata(found, release)


def test_signature_without_a_batch_has_no_other_dims() -> None:
    release = image(image=None, samples=(), batching=False)
    check_metadata(Metadata(release.inputs, release.outputs), release)
    batch = tuple(replace(each, dims=(-1, *each.dims)) for each in release.inputs)
    with pytest.raises(WrongAnswerError, match="the model's inputs are"):
        check_metadata(Metadata(batch, release.outputs), release)


@pytest.mark.parametrize(
    "outputs",
    [
        (),
        (Tensor("OUTPUT__0", "FP32", (-1, -1, 3)),),
        (Tensor("OUTPUT__0", "FP32", (-1, 11)),),
        (Tensor("OUTPUT__0", "FP16", (-1, 3)),),
        (Tensor("OUTPUT__1", "FP32", (-1, 3)),),
        (Tensor("OUTPUT__0", "FP32", (3,)), Tensor("OUTPUT__1", "FP32", (3,))),
    ],
)
def test_other_signature_is_shown_beside_the_releases(outputs: tuple[Tensor, ...]) -> None:
    with pytest.raises(WrongAnswerError, match=r"the release's OUTPUT__0 FP32 \[3\]"):
        check_metadata(Metadata(image().inputs, outputs), image())


def check(found: NDArray[Any], wanted: NDArray[Any], dtype: str, tolerance: float) -> float:
    """Compare one output of a release."""
    outputs = (Tensor("OUTPUT__0", dtype, (-1,)),)
    release = replace(tensors(), format="onnx", outputs=outputs, samples=())
    return check_outputs({"OUTPUT__0": found}, Sample((array(wanted, dtype),)), release, tolerance)


def test_difference_is_relative_to_the_largest_value() -> None:
    wanted = np.array([[0.0, 20.0, -40.0]])
    found = wanted + np.array([0, 0.02, 0])
    assert check(found, wanted, "FP64", TOLERANCE) == pytest.approx(0.0005)
    message = (
        r"output OUTPUT__0\[0, 1\] is 20\.02, the release's 20: 0\.0005 apart, allowed 0\.0001"
    )
    with pytest.raises(WrongAnswerError, match=message):
        check(found, wanted, "FP64", 1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3.0])
def test_value_that_is_not_finite_must_be_the_same(value: float) -> None:
    wanted = np.array([[1.0, float("-inf"), 2.0, float("nan")]])
    assert check(wanted.copy(), wanted, "FP64", TOLERANCE) == 0
    for place in range(4):
        found = wanted.copy()
        found[0, place] = value
        if not np.array_equal(found, wanted, equal_nan=True):
            with pytest.raises(WrongAnswerError, match=rf"OUTPUT__0\[0, {place}\] is"):
                check(found, wanted, "FP64", TOLERANCE)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (np.zeros((1, 2), "float32"), r"is float32 \[1, 2\], the release's float64 \[1, 3\]"),
        (np.zeros((1, 3), "float32"), r"is float32 \[1, 3\], the release's float64 \[1, 3\]"),
        (np.zeros((3,)), r"is float64 \[3\], the release's float64 \[1, 3\]"),
    ],
)
def test_other_type_or_shape_is_wrong(found: NDArray[Any], message: str) -> None:
    with pytest.raises(WrongAnswerError, match=message):
        check(found, np.zeros((1, 3)), "FP64", TOLERANCE)


@st.composite
def named_arrays(draw: st.DrawFn) -> tuple[str, NDArray[Any]]:
    """A type, and an array of it."""
    dtype = draw(st.sampled_from(list(DTYPES)))
    shape = draw(array_shapes(min_dims=1, max_dims=3, max_side=3))
    if dtype == "BYTES":
        return dtype, draw(arrays(object, shape, elements=st.binary(max_size=5)))
    return dtype, draw(arrays(DTYPES[dtype], shape))


@given(named_arrays())
def test_array_is_equal_to_itself(named: tuple[str, NDArray[Any]]) -> None:
    dtype, values = named
    assert check(values, values, dtype, 0.0) == 0


@given(named_arrays(), st.data())
def test_one_other_value_is_found(named: tuple[str, NDArray[Any]], data: st.DataObject) -> None:
    dtype, wanted = named
    if wanted.dtype.kind == "f":
        wanted = np.nan_to_num(wanted, posinf=1, neginf=-1).clip(-1e4, 1e4)
    place = data.draw(st.integers(0, wanted.size - 1))
    found, first = wanted.copy(), wanted.flat[place]
    if dtype == "BYTES":
        found.flat[place] = first + b"."
    else:
        found.flat[place] = first / 2 + 20000 if wanted.dtype.kind == "f" else ~first
    index = list(map(int, np.unravel_index(place, wanted.shape)))
    with pytest.raises(WrongAnswerError) as raised:
        check(found, wanted, dtype, TOLERANCE)
    assert f"OUTPUT__0{index} is " in str(raised.value)


@given(st.lists(named_arrays(), min_size=1, max_size=4))
def test_tensors_survive_the_wire(named: Sequence[tuple[str, NDArray[Any]]]) -> None:
    described = [Tensor(f"T__{n}", dtype, (-1,)) for n, (dtype, _) in enumerate(named)]
    body, headers = infer_request(described, [values for _, values in named])
    length = int(headers[HEADER_LENGTH])
    # What a server that echoes its inputs would answer.
    text = json.dumps({"outputs": json.loads(body[:length])["inputs"]}).encode()
    lower = {HEADER_LENGTH.lower(): str(len(text))}
    found = infer_outputs(Response(200, lower, text + body[length:]))
    for tensor, (_, values) in zip(described, named, strict=True):
        assert found[tensor.name].dtype == values.dtype
        assert found[tensor.name].shape == values.shape
        assert check(found[tensor.name], values, tensor.dtype, 0.0) == 0


PREDICTIONS = [
    {"label": "cat", "index": 3, "boxes": [{"score": 0.5, "at": [10.0, 20.0]}, {}], "ok": True},
    [[0.1, 200.0], [1, None]],
]


def changed(*path: Any, to: Any) -> Any:
    """The predictions with another value at a path."""
    made: Any = copy.deepcopy(PREDICTIONS)
    *above, last = path
    inner = made
    for key in above:
        inner = inner[key]
    if to is KeyError:
        del inner[last]
    else:
        inner[last] = to
    return made


def test_equal_predictions() -> None:
    assert check_predictions(copy.deepcopy(PREDICTIONS), PREDICTIONS, TOLERANCE) == 0
    assert check_predictions([1], [1.0], TOLERANCE) == 0
    assert check_predictions([1.0], [1], TOLERANCE) == 0


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        ((0, "label"), "dog", "predictions[0].label is 'dog', the release's 'cat'"),
        ((0, "index"), 4, "predictions[0].index is 4, the release's 3"),
        ((0, "index"), 3.0001, "predictions[0].index is 3.0001, the release's 3"),
        ((0, "index"), "3", "predictions[0].index is '3', the release's 3"),
        ((0, "ok"), 1, "predictions[0].ok is 1, the release's True"),
        ((0, "ok"), False, "predictions[0].ok is False, the release's True"),
        (
            (0, "boxes", 0, "score"),
            0.502,
            "predictions[0].boxes[0].score is 0.502, the release's 0.5: 0.002 apart, allowed 0.001",
        ),
        (
            (0, "boxes", 0, "score"),
            True,
            "predictions[0].boxes[0].score is True, the release's 0.5",
        ),
        (
            (0, "boxes", 0, "score"),
            None,
            "predictions[0].boxes[0].score is None, the release's 0.5",
        ),
        ((0, "boxes", 0, "score"), float("nan"), "predictions[0].boxes[0].score is nan"),
        ((0, "boxes", 0, "score"), 10**400, "predictions[0].boxes[0].score is 1000"),
        (
            (0, "boxes", 1),
            KeyError,
            "predictions[0].boxes is a list of 1, the release's a list of 2",
        ),
        ((0, "boxes"), 5, "predictions[0].boxes is 5, the release's a list of 2"),
        ((0, "boxes", 1), {"a": 1}, "predictions[0].boxes[1] is an object with 'a', the release's"),
        ((0, "label"), KeyError, "predictions[0] is an object with 'index', 'boxes', 'ok', the"),
        ((1, 1, 1), 0, "predictions[1][1][1] is 0, the release's None"),
    ],
)
def test_first_other_value_is_named_by_its_path(path: Any, to: Any, message: str) -> None:
    with pytest.raises(WrongAnswerError) as raised:
        check_predictions(changed(*path, to=to), PREDICTIONS, TOLERANCE)
    assert str(raised.value).startswith(message)


def test_floats_of_a_list_are_relative_to_its_largest() -> None:
    # 0.1 beside 200.0 may be 0.2 off; alone it may be 0.001 off.
    assert check_predictions(changed(1, 0, 0, to=0.2), PREDICTIONS, TOLERANCE) < TOLERANCE
    with pytest.raises(WrongAnswerError):
        check_predictions(
            [{"score": 0.2, "at": [200.0]}], [{"score": 0.1, "at": [200.0]}], TOLERANCE
        )


def test_name_that_is_no_identifier_is_quoted() -> None:
    with pytest.raises(WrongAnswerError, match=r"predictions\[0\]\['two words'\] is 1"):
        check_predictions([{"two words": 1}], [{"two words": 2}], TOLERANCE)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(-1e6, 1e6) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all scalars."""
    if isinstance(value, dict):
        return [each for key in value for each in leaves(value[key], (*path, key))]
    if isinstance(value, list):
        return [each for n, inner in enumerate(value) for each in leaves(inner, (*path, n))]
    return [path]


@given(st.lists(VALUES, max_size=4))
def test_predictions_are_equal_to_themselves_as_json(wanted: list[Any]) -> None:
    assert check_predictions(json.loads(json.dumps(wanted)), wanted, 0.0) == 0


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_one_other_scalar_is_found(wanted: list[Any], data: st.DataObject) -> None:
    paths = leaves(wanted)
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    found = copy.deepcopy(wanted)
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    before = inner[path[-1]]
    other = {bool: lambda: not before, int: lambda: before + 1, float: lambda: before + 1e7}
    inner[path[-1]] = other.get(type(before), lambda: [before])()
    with pytest.raises(WrongAnswerError):
        check_predictions(found, wanted, TOLERANCE)


def test_releases_examples_have_answers() -> None:
    """What the hand-made releases record is equal to itself."""
    for release in (image(), tensors(), texts()):
        for sample in release.samples:
            named = zip(release.outputs, sample.outputs, strict=True)
            found = {
                each.name: np.frombuffer(stored.raw, DTYPES[each.dtype]).reshape(stored.shape)
                for each, stored in named
            }
            assert check_outputs(found, sample, release, 0.0) == 0
