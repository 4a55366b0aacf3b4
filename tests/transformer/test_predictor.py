"""Predictors that are not reachable, slow or wrong: 503 or 504 with the cause, in time."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.ports import free_port
from tests.transformer.predictors import (
    Failover,
    FakePredictor,
    PatientPredictor,
    Relay,
    ending_triton,
    unused_address,
    v2_answer,
)
from tests.transformer.server import RELEASE, Transformer, eventually, instances

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.triton.server import Triton

Samples = list[dict[str, Any]]
DEADLINE = 0.7
# Time that a busy machine may add.
MARGIN = 5.0
GRPC = "--predictor_protocol=grpc-v2"
PROTOCOLS = ["--predictor_protocol=v2", GRPC]
LENGTH = "Inference-Header-Content-Length: "
SCORES = {"name": "OUTPUT__0", "datatype": "FP32", "parameters": {"binary_data_size": 40}}


def tensors(*outputs: dict[str, Any]) -> bytes:
    described = json.dumps({"outputs": outputs}).encode()
    return v2_answer("200 OK", described + b"\0" * 40, f"{LENGTH}{len(described)}")


ANSWERS = [
    ("an error", v2_answer("400 Bad Request", b'{"error": "too cold"}'), "400: too cold"),
    ("another error", v2_answer("502 Bad Gateway", b"<html>"), "502: '<html>'"),
    ("no tensors", v2_answer("200 OK", b"fine"), "lacks what was asked for"),
    ("not HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", "its answer is not HTTP"),
    (
        "another protocol",
        b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        "101: ''",
    ),
    ("nothing", b"", "closed the connection"),
    ("half", tensors(SCORES | {"shape": [1, 10]})[:-9], "closed the connection within its answer"),
    ("other shape", tensors(SCORES | {"shape": [1, 5]}), "as FP32 [1, 5]; the release says FP32"),
    ("other type", tensors(SCORES | {"shape": [1, 10], "datatype": "FP16"}), "as FP16 [1, 10]"),
    ("other name", tensors(SCORES | {"shape": [1, 10], "name": "x"}), "lacks what was asked for"),
    ("too much", v2_answer("200 OK", b"x" * 2**26 + b"x"), "larger than 64 MiB"),
]


def fails(predictor: str, folder: Path, samples: Samples, *arguments: str) -> Any:
    """Status and error of the second of two requests, which may use a kept connection."""
    arguments = (f"--deadline_seconds={DEADLINE}", *arguments)
    with Transformer(predictor, folder, *arguments) as made:
        for _ in range(2):
            started = time.monotonic()
            status, answer = made.predict(instances([samples[0]["image"]]))
            assert time.monotonic() - started < DEADLINE + MARGIN
        # The model isn't ready; the server is, since neither a restart nor a queue would help.
        assert made.ask("/v2/health/live")[0] == 200
        assert made.ask("/v2/health/ready")[0] == 200
        assert made.ask("/v1/models/digits") == (503, {"name": "digits", "ready": False})
    return status, answer["error"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_connection_refused(protocol: str, tmp_path: Path, samples: Samples) -> None:
    status, error = fails(unused_address(), tmp_path, samples, protocol)
    assert status == 503
    assert re.search(r"^predictor: .*refused", error, re.IGNORECASE)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_such_host(protocol: str, tmp_path: Path, samples: Samples) -> None:
    status, error = fails("predictor.invalid", tmp_path, samples, protocol)
    assert status in (503, 504)
    assert "predictor" in error


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_answer(protocol: str, tmp_path: Path, samples: Samples) -> None:
    with FakePredictor() as fake:
        status, error = fails(fake.address, tmp_path, samples, protocol)
    assert (status, error) == (504, "0.7 s passed before the predictor answered")


@pytest.fixture(scope="module")
def fake() -> Iterator[FakePredictor]:
    with FakePredictor() as made:
        yield made


@pytest.fixture(scope="module")
def behind_fake(
    fake: FakePredictor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Transformer]:
    with Transformer(fake.address, tmp_path_factory.mktemp("behind_fake")) as made:
        yield made


@pytest.mark.parametrize(
    ("answer", "error"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_wrong_answers(
    fake: FakePredictor, behind_fake: Transformer, answer: bytes, error: str, samples: Samples
) -> None:
    fake.answer = answer
    for _ in range(2):
        status, found = behind_fake.predict(instances([samples[0]["image"]]))
        assert status == 503
        assert found["error"].startswith("predictor: ")
        assert error in found["error"]


@pytest.mark.parametrize("value", [b"\0\0\xc0\x7f", b"\0\0\x80\xff"], ids=["NaN", "-infinity"])
def test_numbers_that_are_none(
    fake: FakePredictor, behind_fake: Transformer, value: bytes, samples: Samples
) -> None:
    described = json.dumps({"outputs": [SCORES | {"shape": [1, 10]}]}).encode()
    numbers = b"\0" * 36 + value
    fake.answer = v2_answer("200 OK", described + numbers, f"{LENGTH}{len(described)}")
    error = "predictor: answered OUTPUT__0 with NaN or infinite values in row 0"
    image = samples[0]["image"]
    assert behind_fake.predict(instances([image])) == (500, {"error": error})
    pictures = {"name": "image_bytes", "shape": [1], "datatype": "BYTES", "data": [image]}
    body = json.dumps({"inputs": [pictures]}).encode()
    assert behind_fake.infer(body) == (500, {"error": error})


def test_an_unused_connection_is_closed(tmp_path: Path, samples: Samples) -> None:
    answer = v2_answer("500 Internal Server Error", b"{}")
    with (
        PatientPredictor(answer) as predictor,
        Transformer(predictor.address, tmp_path) as made,
    ):
        assert made.predict(instances([samples[0]["image"]]))[0] == 500
        eventually(predictor.left.is_set)


def test_wrong_answers_over_grpc(tmp_path: Path, samples: Samples) -> None:
    with FakePredictor() as fake:
        fake.answer = v2_answer("200 OK", b"fine")
        status, error = fails(fake.address, tmp_path, samples, GRPC)
    assert status == 503
    assert error.startswith("predictor: UNAVAILABLE")


def test_a_pod_that_ends_is_left_for_another_over_grpc(
    triton: Triton, tmp_path: Path, samples: Samples
) -> None:
    body = instances([samples[0]["image"]])
    with (
        ending_triton() as ending,
        Failover(ending, triton.grpc) as relay,
        Transformer(relay.address, tmp_path, GRPC) as made,
    ):
        assert made.predict(body)[0] == 200


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tritons_own_error(triton: Triton, protocol: str, tmp_path: Path, samples: Samples) -> None:
    other = tmp_path / "release.json"
    # In this format a tensor may have any name.
    onnx = {"format": "onnx", "opset": 18, "ir": 9}
    text = RELEASE.read_text().replace("INPUT__0", "INPUT__7")
    other.write_text(json.dumps(json.loads(text) | onnx))
    address = triton.grpc if protocol == GRPC else triton.http
    with Transformer(address, tmp_path, protocol, f"--release={other}") as made:
        status, answer = made.predict(instances([samples[0]["image"]]))
    assert status == 503
    assert "unexpected inference input 'INPUT__7' for model 'digits'" in answer["error"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_comes_and_goes(triton: Triton, protocol: str, tmp_path: Path, samples: Samples) -> None:
    body = instances([samples[0]["image"]])
    port = free_port()
    with Transformer(f"127.0.0.1:{port}", tmp_path, protocol) as made:
        assert made.predict(body)[0] == 503
        for _ in range(2):
            with Relay(triton.grpc if protocol == GRPC else triton.http, port):
                eventually(lambda: made.ask("/v2/models/digits/ready")[0] == 200)
                assert made.predict(body)[0] == 200
            assert made.predict(body)[0] == 503
            assert made.ask("/v2/models/digits/ready")[0] == 503
