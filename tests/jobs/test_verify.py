"""The verification against real Triton, over HTTP and over gRPC."""

from __future__ import annotations

import base64
import io
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps

from jobs.__main__ import elapsed
from jobs.config import VerifyConfig
from jobs.progress import Progress
from jobs.samples import read_release
from jobs.verify import run as module
from jobs.verify.kubernetes import Cluster
from jobs.verify.watch import FailedError, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.triton.server import Triton
    from release.schema import Release


@pytest.fixture(params=["http", "grpc"])
def reached(
    request: pytest.FixtureRequest, triton: Triton, verify_job: dict[str, Any]
) -> dict[str, Any]:
    """A job.json for either protocol."""
    address = triton.http if request.param == "http" else triton.grpc
    return verify_job | {
        "predictor_url": f"http://{address}",
        "predictor_protocol": request.param,
    }


@pytest.fixture
def tampered(release_file: Path, write: Any) -> Callable[..., tuple[Path, str]]:
    """release.json with something changed, and its digest."""

    def change(edit: Callable[[dict[str, Any]], None]) -> tuple[Path, str]:
        raw = json.loads(release_file.read_bytes())
        edit(raw)
        path = write(raw, "release.json")
        return path, read_release(path).digest

    return change


@pytest.mark.parametrize(("age", "gone"), [(0, 0), (30, 30), (1e6, 580)])
def test_a_pods_wait_is_taken_from_the_deadline(
    verify_job: dict[str, Any], write: Any, age: float, gone: float
) -> None:
    class Old(Cluster):
        def pod_age(self, namespace: str, pod: str) -> float:
            return age

    changes = {"deadline_seconds": 600, "predictor_url": "http://nowhere"}
    job = VerifyConfig.read(write(verify_job | changes, "job.json"))
    assert elapsed(job, Old("https://nowhere", Path("token"))) == gone
    assert elapsed(job, None) == 0


def test_released_model_passes(reached: dict[str, Any], run: Any) -> None:
    status, words = run("verify", reached)
    assert status == 0, words
    assert "predictor ready, signature equal, 10 samples answered within 0.001" in words


def test_other_answer_fails_with_both(reached: dict[str, Any], run: Any, tampered: Any) -> None:
    def edit(raw: dict[str, Any]) -> None:
        raw["samples"][3]["outputs"][0][0] += 1.0

    path, digest = tampered(edit)
    status, words = run("verify", reached | {"release_digest": digest, "deadline_seconds": 1}, path)
    assert status == 1
    assert "predictor, sample 3: output OUTPUT__0 is [" in words
    assert "apart, allowed 0.001" in words


def test_other_image_fails(reached: dict[str, Any], run: Any, tampered: Any) -> None:
    def edit(raw: dict[str, Any]) -> None:
        image = Image.open(io.BytesIO(base64.b64decode(raw["samples"][0]["image"])))
        file = io.BytesIO()
        ImageOps.invert(image).save(file, "PNG")
        raw["samples"][0]["image"] = base64.b64encode(file.getvalue()).decode()

    path, digest = tampered(edit)
    status, words = run("verify", reached | {"release_digest": digest, "deadline_seconds": 1}, path)
    assert (status, "predictor, sample 0" in words) == (1, True)


def test_other_signature_fails_with_both(reached: dict[str, Any], run: Any) -> None:
    status, words = run("verify", reached | {"model": "other", "deadline_seconds": 1})
    assert status == 1
    assert "the model's inputs are INPUT__0 FP32 [-1, 3, 64, 64]" in words
    assert "the release's INPUT__0 FP32 [3, 32, 32]" in words


def test_the_deadline_is_kept_and_its_message_has_the_reason(
    reached: dict[str, Any], run: Any
) -> None:
    started = time.monotonic()
    status, words = run("verify", reached | {"model": "absent", "deadline_seconds": 2})
    assert status == 1
    # No request takes longer than REQUEST_SECONDS.
    assert 1 < time.monotonic() - started < 2 + module.REQUEST_SECONDS
    assert "does not serve release" in words
    assert "after 2 s; at last: " in words
    assert "absent" in words


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_unreachable_endpoint_fails_at_the_deadline(
    verify_job: dict[str, Any], run: Any, protocol: str
) -> None:
    job = verify_job | {"predictor_protocol": protocol, "deadline_seconds": 1}
    status, words = run("verify", job | {"predictor_url": "http://127.0.0.1:1"})
    assert (status, "127.0.0.1:1" in words) == (1, True)


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
    job = VerifyConfig.read(write(raw | {"deadline_seconds": 60}))
    with pytest.raises(FailedError, match="is rolled out and answers wrongly: the model's inputs"):
        module.verify(job, release, None, Progress(io.StringIO()))
