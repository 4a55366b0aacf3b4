"""The verification against real Triton, over HTTP and over gRPC."""

from __future__ import annotations

import base64
import io
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from jobs.__main__ import elapsed
from jobs.config import VerifyConfig, read_config
from jobs.progress import Progress
from jobs.verify import run as module
from jobs.verify.kubernetes import Cluster
from jobs.verify.watch import FailedError, Watch
from local.triton.server import Triton
from release import tensors
from release.schema import Tensor
from tests.jobs import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.schema import Release


@pytest.fixture(params=["http", "grpc"])
def reached(
    request: pytest.FixtureRequest, triton: Triton, verify_job: dict[str, Any]
) -> dict[str, Any]:
    """A job.json for either protocol."""
    url = f"http://{triton.http}" if request.param == "http" else triton.grpc
    return verify_job | {
        "predictor_url": url,
        "predictor_protocol": request.param,
    }


@pytest.mark.parametrize(("age", "gone"), [(0, 0), (30, 30), (1e6, 580)])
def test_what_passed_since_the_jobs_start_is_taken_from_the_deadline(
    verify_job: dict[str, Any], write: Any, age: float, gone: float
) -> None:
    class Old(Cluster):
        def job_age(self, namespace: str, pod: str) -> float:
            return age

    changes = {"deadline_seconds": 600, "predictor_url": "http://nowhere"}
    raw = verify_job | changes | {"release_digest": "0" * 64}
    job = read_config(VerifyConfig, write(raw, "job.json"))
    assert elapsed(job, Old("https://nowhere", Path("token"))) == gone
    assert elapsed(job, None) == 0


@pytest.mark.parametrize("name", ["every", "whole", "rows", "picture"])
def test_released_model_passes(
    reached: dict[str, Any], run: Any, releases: dict[str, Release], name: str
) -> None:
    given = releases[name]
    status, text = run("verify", reached | {"model": name}, given)
    assert status == 0, text
    samples = len(given.samples)
    assert f"predictor ready, signature equal, {samples} samples answered within 0.001" in text


@pytest.fixture
def other(releases: dict[str, Release], tmp_path: Path) -> Iterator[Triton]:
    """A Triton that serves another model by the image model's name."""
    inputs = (Tensor("INPUT__0", "FP32", (3, 16, 16)),)
    changed = replace(releases["picture"], image=None, samples=(), inputs=inputs)
    models.write(tmp_path / "repository", changed, "picture")
    with Triton(tmp_path / "repository", log=tmp_path / "triton.log") as server:
        yield server


class Pods(Watch):
    """A rollout with two pods, of which a test says the addresses."""

    addresses: tuple[str, ...] = ("127.0.0.1", "127.0.0.1")

    def serving(self) -> list[dict[str, Any]]:
        return [
            {"metadata": {"name": f"pod-{n}"}, "status": {"podIP": address}}
            for n, address in enumerate(self.addresses)
        ]


def test_each_pod_is_asked_at_its_own_address(
    reached: dict[str, Any], run: Any, triton: Triton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Watch", Pods)
    address = triton.grpc if reached["predictor_protocol"] == "grpc" else triton.http
    job = reached | {"predictor_port": int(address.rpartition(":")[2])}
    status, text = run("verify", job)
    assert status == 0, text
    assert "2 pods asked at their own addresses" in text


def test_a_pod_that_does_not_answer_is_waited_for(
    reached: dict[str, Any], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Watch", Pods)
    # Nothing listens there, though the Service answers.
    status, text = run("verify", reached | {"predictor_port": 1, "deadline_seconds": 2})
    assert status == 1
    assert "127.0.0.1:1" in text


def test_a_pod_that_serves_something_else_is_named(
    verify_job: dict[str, Any],
    run: Any,
    triton: Triton,
    other: Triton,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replica that requests through the Service may miss."""
    monkeypatch.setattr(module, "Watch", Pods)
    job = verify_job | {"predictor_url": f"http://{triton.http}", "deadline_seconds": 2}
    status, text = run("verify", job | {"predictor_port": int(other.http.rpartition(":")[2])})
    assert status == 1
    assert "the model's inputs are INPUT__0 FP32 [-1, 3, 16, 16]" in text
    assert "pod-0" in text


@pytest.mark.parametrize(
    ("name", "output", "message"),
    [
        ("picture", "OUTPUT__0", r"\[0, 0\] is \S+, the release's \S+: \S+ apart, allowed 0\.001"),
        ("every", "out_fp64", r"\[0, 0\] is \S+, the release's \S+: \S+ apart, allowed 0\.001"),
        ("every", "out_uint64", r"\[0, 0\] is 18446744073709551615, the release's 0"),
        ("every", "out_bool", r"\[0, 0\] is (True, the release's False|False, the release's True)"),
        ("every", "out_bytes", r"\[0, 0\] is 'naïve', the release's 'other'"),
        ("rows", "out_INT32", r"\[0, 0\] is 2147483647, the release's -2147483648"),
        ("whole", "same_texts", r"\[0, 0\] is 'naïve', the release's 'other'"),
    ],
)
def test_other_answer_fails_with_both(
    reached: dict[str, Any],
    run: Any,
    releases: dict[str, Release],
    name: str,
    output: str,
    message: str,
) -> None:
    given = _with_other_output(releases[name], 1, output)
    job = reached | {"model": name, "deadline_seconds": 1}
    status, text = run("verify", job, given)
    assert status == 1
    assert re.search(rf"predictor, sample 1: output {output}{message}", text), text


def _with_other_output(release: Release, number: int, name: str) -> Release:
    """A release whose sample has another first value of an output."""
    sample = release.samples[number]
    index = [tensor.name for tensor in release.outputs].index(name)
    dtype = release.outputs[index].dtype
    values = tensors.values(sample.outputs[index], dtype).copy()
    first = values.flat[0]
    if dtype == "BYTES":
        values.flat[0] = b"other"
    else:
        values.flat[0] = first + 100 if values.dtype.kind == "f" else ~first
    outputs = list(sample.outputs)
    outputs[index] = tensors.array(values, dtype)
    samples = list(release.samples)
    samples[number] = replace(sample, outputs=tuple(outputs))
    return replace(release, samples=tuple(samples))


def test_other_image_fails(reached: dict[str, Any], run: Any, release: Release) -> None:
    first, *others = release.samples
    inverted = io.BytesIO()
    with Image.open(io.BytesIO(first.picture)) as image:
        ImageOps.invert(image).save(inverted, "PNG")
    changed = replace(first, image=base64.b64encode(inverted.getvalue()).decode())
    given = replace(release, samples=(changed, *others))
    status, text = run("verify", reached | {"deadline_seconds": 1}, given)
    assert (status, "predictor, sample 0" in text) == (1, True)


def test_other_signature_fails_with_both(reached: dict[str, Any], run: Any) -> None:
    status, text = run("verify", reached | {"model": "other", "deadline_seconds": 1})
    assert status == 1
    assert "the model's inputs are INPUT__0 FP32 [-1, 3, 16, 16]" in text
    assert "the release's INPUT__0 FP32 [3, 8, 8]" in text


def test_the_deadline_is_kept_and_its_message_has_the_reason(
    reached: dict[str, Any], run: Any
) -> None:
    started = time.monotonic()
    status, text = run("verify", reached | {"model": "absent", "deadline_seconds": 2})
    assert status == 1
    # No request takes longer than REQUEST_SECONDS.
    assert 1 < time.monotonic() - started < 2 + module.REQUEST_SECONDS
    assert "does not serve release" in text
    assert "after 2 s; at last: " in text
    assert "absent" in text


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_unreachable_endpoint_fails_at_the_deadline(
    verify_job: dict[str, Any], run: Any, protocol: str
) -> None:
    url = "http://127.0.0.1:1" if protocol == "http" else "127.0.0.1:1"
    job = verify_job | {"predictor_protocol": protocol, "deadline_seconds": 1}
    status, text = run("verify", job | {"predictor_url": url})
    assert (status, "127.0.0.1:1" in text) == (1, True)


def test_a_wrong_answer_after_the_rollout_does_not_wait_for_the_deadline(
    triton: Triton,
    release: Release,
    verify_job: dict[str, Any],
    write: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def rolled_out(self: Watch) -> None:
        self.settled = True

    monkeypatch.setattr(Watch, "check", rolled_out)
    monkeypatch.setattr(module, "WRONG_SECONDS", 0.5)
    raw = verify_job | {"predictor_url": f"http://{triton.http}", "model": "other"}
    raw["release_digest"] = release.digest
    job = read_config(VerifyConfig, write(raw | {"deadline_seconds": 60}))
    with pytest.raises(
        FailedError, match="is rolled out and answers wrongly: predictor: the model's inputs"
    ):
        module.verify(job, release, None, Progress(io.StringIO()))
