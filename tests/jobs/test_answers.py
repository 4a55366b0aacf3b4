"""Comparison of answers with the release."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jobs.http_client import Response
from jobs.samples import HEADER_LENGTH, infer_outputs, infer_request, input_tensor
from jobs.verify.answers import check_metadata, check_outputs, check_prediction
from jobs.verify.endpoint import Metadata, WrongAnswerError
from release.schema import Tensor

if TYPE_CHECKING:
    from release.schema import Release


@pytest.mark.parametrize("batch", [(), (-1,)])
def test_signature_is_equal_with_and_without_the_batch(
    release: Release, batch: tuple[int, ...]
) -> None:
    found = Metadata(
        tuple(dataclasses.replace(t, dims=batch + t.dims) for t in release.inputs),
        tuple(dataclasses.replace(t, dims=batch + t.dims) for t in release.outputs),
    )
    check_metadata(found, release)


@pytest.mark.parametrize(
    "outputs",
    [
        (),
        (Tensor("OUTPUT__0", "FP32", (-1, -1, 10)),),
        (Tensor("OUTPUT__0", "FP32", (-1, 11)),),
        (Tensor("OUTPUT__0", "FP16", (-1, 10)),),
        (Tensor("OUTPUT__1", "FP32", (-1, 10)),),
        (Tensor("OUTPUT__0", "FP32", (10,)), Tensor("OUTPUT__1", "FP32", (10,))),
    ],
)
def test_other_signature_is_shown_beside_the_releases(
    release: Release, outputs: tuple[Tensor, ...]
) -> None:
    with pytest.raises(WrongAnswerError, match=r"the release's OUTPUT__0 FP32 \[10\]"):
        check_metadata(Metadata(release.inputs, outputs), release)


def test_answer_within_the_tolerance_gives_its_difference(release: Release) -> None:
    sample = release.samples[0]
    largest = max(map(abs, sample.outputs[0]))
    found = {"OUTPUT__0": np.asarray([sample.outputs[0]]) + 0.0005 * largest}
    assert check_outputs(found, sample, release, 1e-3) == pytest.approx(0.0005)
    with pytest.raises(WrongAnswerError, match=r"apart, allowed 0\.0001"):
        check_outputs(found, sample, release, 1e-4)


@pytest.mark.parametrize("values", [[[1.0]], [[float("nan")] * 10], [[float("inf")] * 10]])
def test_answer_that_cannot_be_compared_is_wrong(release: Release, values: Any) -> None:
    with pytest.raises(WrongAnswerError):
        check_outputs({"OUTPUT__0": np.asarray(values)}, release.samples[0], release, 1e-3)


def prediction(release: Release) -> dict[str, Any]:
    scores = list(release.samples[0].outputs[0])
    index = int(np.argmax(scores))
    return {"index": index, "label": release.labels[index], "scores": scores}


def test_prediction_is_index_label_and_scores(release: Release) -> None:
    found = prediction(release)
    assert check_prediction(found, release.samples[0], release, 1e-3) == 0


@pytest.mark.parametrize(
    "change", [{"index": 5}, {"label": "five"}, {"scores": [1.0]}, {"scores": {}}, {"scores": "x"}]
)
def test_other_prediction_is_wrong(release: Release, change: dict[str, Any]) -> None:
    with pytest.raises(WrongAnswerError):
        check_prediction(prediction(release) | change, release.samples[0], release, 1e-3)


def test_image_becomes_the_input_as_the_release_says(release: Release) -> None:
    found = input_tensor(release, release.samples[0])
    assert found.shape == (1, 3, 32, 32)
    assert found.dtype == np.float32
    assert -1.0 <= found.min() < found.max() <= 1.0


@given(arrays(np.float32, (1, 2, 3), elements=st.floats(-1e3, 1e3, width=32)))
def test_tensor_survives_the_wire(values: Any) -> None:
    body, headers = infer_request(Tensor("INPUT__0", "FP32", (2, 3)), values)
    length = int(headers[HEADER_LENGTH])
    head = json.loads(body[:length])
    # What a server that echoes its input would answer.
    output = head["inputs"][0] | {"name": "OUTPUT__0"}
    text = json.dumps({"outputs": [output]}).encode()
    lower = {HEADER_LENGTH.lower(): str(len(text))}
    found = infer_outputs(Response(200, lower, text + body[length:]))
    assert np.array_equal(found["OUTPUT__0"], values)


def test_bfloat16_is_read(release: Release) -> None:
    output = {
        "name": "OUTPUT__0",
        "datatype": "BF16",
        "shape": [2],
        "parameters": {"binary_data_size": 4},
    }
    text = json.dumps({"outputs": [output]}).encode()
    lower = {HEADER_LENGTH.lower(): str(len(text))}
    found = infer_outputs(Response(200, lower, text + bytes([0x80, 0x3F, 0x40, 0xC0])))
    assert found["OUTPUT__0"].tolist() == [1.0, -3.0]
