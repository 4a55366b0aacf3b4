"""Tensors in the binary form, in JSON, and as they stand in release.json."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from release import tensors
from release.schema import DTYPES, Tensor
from tests.release.strategies import arrays_of

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, np.ndarray[Any, Any]]:
    dtype = draw(st.sampled_from(list(DTYPES)))
    return dtype, draw(arrays_of(dtype, draw(SHAPES)))


@given(arrays())
def test_binary_form_and_release_json_read_back(given: tuple[str, np.ndarray[Any, Any]]) -> None:
    dtype, array = given
    back = tensors.values(tensors.array(array, dtype), dtype)
    assert back.shape == array.shape
    assert tensors.encode(back, dtype) == tensors.encode(array, dtype)
    if dtype != "BYTES":
        assert back.dtype == array.dtype


@given(arrays())
def test_json_reads_back(given: tuple[str, np.ndarray[Any, Any]]) -> None:
    dtype, array = given
    text = json.dumps(tensors.plain(array), allow_nan=False)
    back = tensors.from_json(json.loads(text), dtype)
    # A list without elements has no further dimensions.
    assert back.reshape(array.shape).tolist() == array.tolist()
    assert back.dtype == array.dtype


WRONG = [
    ("INT8", [1, 128], "found 128; allowed: -128 to 127"),
    ("UINT64", [-1], "found -1; allowed: 0 to 18446744073709551615"),
    ("UINT64", [2**64], "found 18446744073709551616; allowed: "),
    ("INT32", [1, 1.5], "found float; allowed in INT32: integers"),
    ("INT32", [True], "found bool; allowed in INT32: integers"),
    ("BOOL", [1], "found int; allowed in BOOL: true and false"),
    ("FP32", [None], "found null; allowed in FP32: numbers"),
    ("FP32", ["1"], "found str; allowed in FP32: numbers"),
    ("FP32", {"a": 1}, "found dict; allowed in FP32: numbers"),
    ("FP32", [1e39], "found 1e+39, too large for FP32"),
    ("FP16", [70000], "found 70000, too large for FP16"),
    ("FP64", [10**400], "found an integer too large for FP64"),
    ("FP32", [[1], [1, 2]], tensors.UNEQUAL),
    ("FP32", [[1, 2], 3], tensors.UNEQUAL),
    ("BYTES", ["a", ["b"]], tensors.UNEQUAL),
    ("BYTES", [1], "found int; allowed in BYTES: texts"),
]


@pytest.mark.parametrize(("dtype", "values", "message"), WRONG, ids=[str(each) for each in WRONG])
def test_values_that_a_type_does_not_have_are_refused(
    dtype: str, values: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        tensors.from_json(values, dtype)


def test_one_text_among_many_numbers_takes_no_memory_for_each() -> None:
    with pytest.raises(ValueError, match="found str"):
        tensors.from_json(["x" * 2**20, *([1] * 2**16)], "FP32")


def test_integers_on_both_sides_of_2_to_the_63_stay_exact() -> None:
    assert tensors.from_json([2**64 - 1, 1], "UINT64").tolist() == [2**64 - 1, 1]


@pytest.mark.parametrize("raw", [b"\1", b"\1\0\0\0", b"\2\0\0\0x", b"\0\0\0\0" * 2, b"\1\0\0\0xy"])
def test_texts_of_another_size_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        tensors.decode(raw, "BYTES", (1,))


def test_numpys_values_become_those_of_json() -> None:
    given = {
        "a": np.array([[1, 2]]),
        "b": np.float32(0.5),
        "c": (np.int64(1), np.bool_(True), "ü", None),
        "d": [math.nan, np.inf, np.array([np.nan, 1.0])],
        "e": np.array([b"x", "y"], object),
    }
    assert tensors.plain(given) == {
        "a": [[1, 2]],
        "b": 0.5,
        "c": [1, True, "ü", None],
        "d": [None, None, [None, 1.0]],
        "e": ["x", "y"],
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [({1: 2}, "found the key 1; "), ([{3}], "found set; "), (1j, "found complex; ")],
)
def test_what_json_does_not_have_is_named(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tensors.plain(value)


def test_a_dimension_of_minus_one_has_any_size() -> None:
    tensor = Tensor("A", "FP32", (-1, 2))
    assert tensors.has_shape((5, 9, 2), tensor, batching=True)
    assert tensors.has_shape((9, 2), tensor, batching=False)
    for shape in [(9, 2), (5, 9, 3), (5, 9, 2, 1), ()]:
        assert not tensors.has_shape(shape, tensor, batching=True)
