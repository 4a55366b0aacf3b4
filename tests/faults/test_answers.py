"""A network whose answers are no numbers: what clients get, and what the load test says."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import urllib3

from local.api import condition_status
from local.layout import ROOT
from tests.faults.served import PYTHON
from tests.local.cluster import eventually
from tests.local.stack.conftest import release, release_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.api import Object
    from tests.local.stack.conftest import Stack

# Changes of the last layer. The output that stands for a 6 is 34 for the sample with a 6, and no
# further from 0 than 16 for the others, so that it overflows for that one sample of ten.
_BREAK = {
    "NaN": "parameters['classify.bias'][0] = float('nan')",
    "infinity": "parameters['classify.weight'][6] *= 1.4e37",
}
# Writes the broken network, and prints the input that stands for a 6.
_SCRIPT = """
import sys, torch
from pathlib import Path
from jobs.samples import sample_inputs
from release.files import read

build, broken, change = sys.argv[1:]
network = torch.jit.load(Path(build, "model.pt"))
parameters = dict(network.named_parameters())
with torch.no_grad():
    exec(change)
network.save(broken)
release = read(Path(build, "release.json"))
(six,) = (each for each in release.samples if each.label == "6")
print(sample_inputs(release, six)[0].ravel().tolist())
"""
_PREDICTOR: dict[str, Any] = {"cpu": "250m", "memory": "512Mi"}
_LOAD: dict[str, Any] = {
    "rate": 50,
    "durationSeconds": 2,
    "objectives": {"p99Ms": 5000, "successRatio": 0.99, "rateRatio": 0.5},
}


@pytest.mark.parametrize(
    ("kind", "judged"),
    [
        ("NaN", "the endpoint does not answer a sample, so no load was sent"),
        ("infinity", "success_ratio: found 0.9, wanted at least 0.99: MISSED"),
    ],
)
def test_answers_that_are_no_numbers(
    stack: Stack, tmp_path: Path, measured: Callable[..., None], kind: str, judged: str
) -> None:
    stack.deploy(predictor=_PREDICTOR, perf={"enabled": False})
    with _broken(stack, tmp_path / "model.pt", kind) as six:
        bodies = _answers(stack, six)
        begun = time.monotonic()
        # The load test is new. The verification stays, which would fail for the same reason.
        done = stack.up(predictor=_PREDICTOR, perf=_LOAD)
        seconds = time.monotonic() - begun
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert judged in said
    for status, text in bodies:
        assert status == 500, text
        assert "OUTPUT__0 with NaN or infinite values" in text
    outcome = f"V1 500, V2 500, {json.loads(bodies[0][1])['error']}; load test fails: {judged}"
    measured("Jobs", f"the network answers {kind}", f"{seconds:.0f}", outcome)


@contextlib.contextmanager
def _broken(stack: Stack, file: Path, kind: str) -> Iterator[list[float]]:
    """A broken network in the bucket and in Triton; an input that stands for a 6."""
    build = release_path("digits").parent
    command = [str(PYTHON), "-c", _SCRIPT, str(build), str(file), _BREAK[kind]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    try:
        _replace(stack, file)
        yield json.loads(done.stdout)
    finally:
        _replace(stack, build / "model.pt")


def _replace(stack: Stack, file: Path) -> None:
    """Put a network into the bucket, and a pod in the place of the one that has another."""
    bucket, _, prefix = (
        stack.outputs()["models"]["digits"]["storageUri"].removeprefix("gs://").partition("/")
    )
    name = quote(f"{prefix}/digits/1/model.pt", safe="")
    url = f"{stack.cluster.layout.storage()}/upload/storage/v1/b/{bucket}/o"
    answer = urllib3.request(
        "POST",
        f"{url}?uploadType=media&name={name}",
        body=file.read_bytes(),
        headers=stack.cluster.layout.owner(),
    )
    assert answer.status == 200, answer.data
    old = {pod["metadata"]["name"] for pod in _predictors(stack)}
    for pod in old:
        stack.cluster.api.delete(f"/api/v1/namespaces/{stack.namespace}/pods/{pod}")
    eventually(lambda: _serves_anew(stack, old), 90)


def _predictors(stack: Stack) -> list[Object]:
    return [
        pod for pod in stack.list("pods") if pod["metadata"]["name"].startswith("digits-predictor")
    ]


def _serves_anew(stack: Stack, old: set[str]) -> bool:
    """Whether there is one pod, a new one, and it is ready."""
    (pod,) = _predictors(stack)
    return pod["metadata"]["name"] not in old and condition_status(pod, "Ready") == "True"


def _answers(stack: Stack, six: list[float]) -> list[tuple[int, str]]:
    """Status and text for a 6, asked by V1 and by V2."""
    picture = next(each["image"] for each in release()["samples"] if each["label"] == "6")
    tensor = {"name": "INPUT__0", "datatype": "FP32", "shape": [1, 3, 32, 32], "data": six}
    address = stack.address("digits-transformer")
    bodies = {
        f"{address}/v1/models/digits:predict": {"instances": [{"image_bytes": {"b64": picture}}]},
        f"{address}/v2/models/digits/infer": {"inputs": [tensor]},
    }
    answers = (urllib3.request("POST", url, json=body) for url, body in bodies.items())
    return [(answer.status, answer.data.decode()) for answer in answers]
