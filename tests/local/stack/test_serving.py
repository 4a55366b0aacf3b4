"""The stack on the real KServe and Triton: served, changed, broken and mended."""

from __future__ import annotations

import re
import time
import urllib.parse
from typing import TYPE_CHECKING

import pytest
import urllib3

from local.environment import cli_home
from tests.local.cluster import eventually
from tests.local.stack.conftest import floats, release

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_REFRESH = "--refresh"


def _answers(stack: Stack, service: str = "digits-transformer") -> None:
    """As the release says that its network answers."""
    found, wanted = stack.predict(service), floats(release()["samples"][0]["outputs"][0])
    assert found["scores"] == pytest.approx(wanted, abs=1e-3)
    assert found["index"] == wanted.index(max(wanted))


def test_a_stack_comes_up_whole(stack: Stack) -> None:
    stack.deploy()
    outputs = stack.outputs()
    assert outputs["models"]["digits"]["ready"] is True
    assert outputs["perf"]["digits"]["verdict"] == "pass"
    _answers(stack)
    service = stack.service()
    ready = {c["type"]: c["status"] for c in service["status"]["conditions"]}
    assert ready["Ready"] == "True"
    assert service["status"]["url"].startswith("http")
    assert all(job["status"]["succeeded"] == 1 for job in stack.list("jobs", "/apis/batch/v1"))
    phases = {
        pod["metadata"]["name"].split("-")[1]: pod["status"]["phase"] for pod in stack.list("pods")
    }
    assert phases["predictor"] == phases["transformer"] == "Running"


def test_a_second_time_changes_nothing(stack: Stack) -> None:
    stack.deploy()
    stack.deploy("--expect-no-changes")
    stack.deploy(_REFRESH, "--expect-no-changes")


def test_the_cli_writes_no_logs_of_its_own(stack: Stack) -> None:
    done = stack.up()
    assert (cli_home() / "logs").is_file()
    assert "log" not in done.stderr


def test_a_pods_log_is_found_by_the_beginning_of_its_name(stack: Stack) -> None:
    stack.deploy()
    assert "serving digits on port 8080" in stack.cluster.command("logs", "digits-transformer")
    assert "load test of digits: pass" in stack.cluster.command("logs", "perf-digits")


def test_gpu_is_previewed_fails_by_the_schedulers_words_and_cpu_mends_it(stack: Stack) -> None:
    stack.deploy()
    stack.configure(device="gpu")
    diff = stack.run("preview", "--diff").stdout
    assert "nvidia.com/gpu" in diff
    # The model's component says it in a line of its own, beside the InferenceService's.
    assert re.search(r'~ device +: "cpu" => "gpu"', diff)
    assert "2 to update" in diff
    # A node with a GPU could be added, so it is waited for.
    done = stack.up(device="gpu", verification={"deadlineSeconds": 10})
    assert done.returncode != 0
    assert "Insufficient nvidia.com/gpu" in done.stdout + done.stderr
    _answers(stack)
    stack.deploy()
    _answers(stack)


def test_grpc_through_the_whole_chain(stack: Stack) -> None:
    stack.deploy(protocol="grpc")
    assert stack.service()["spec"]["predictor"]["model"]["protocolVersion"] == "grpc-v2"
    _answers(stack)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_both_containers_in_one_pod(stack: Stack, protocol: str) -> None:
    stack.deploy(placement="collocated", protocol=protocol)
    _answers(stack, "digits-predictor")
    current = [
        pod
        for pod in stack.list("pods")
        if pod["metadata"]["name"].startswith("digits-predictor")
        and "deletionTimestamp" not in pod["metadata"]
    ]
    names = {
        status["name"]: status["ready"] for status in current[-1]["status"]["containerStatuses"]
    }
    assert names == {"kserve-container": True, "transformer-container": True}


def test_the_one_scraped_port_of_a_pod_has_the_metrics_of_both_containers(stack: Stack) -> None:
    stack.deploy(placement="collocated", perf={"enabled": False})
    url = f"{stack.address('digits-predictor')}/metrics"
    text = urllib3.request("GET", url, timeout=10).data.decode()
    assert "transformer_requests_in_flight" in text
    assert 'nv_inference_request_success{model="digits"' in text


def test_two_models_side_by_side(stack: Stack) -> None:
    stack.deploy(models={"digits": {}, "cifar10": {}})
    assert set(stack.outputs()["models"]) == {"digits", "cifar10"}
    _answers(stack)
    assert stack.predict("cifar10-transformer", "cifar10")["label"]
    stack.deploy()
    paths = "/apis/serving.kserve.io/v1beta1"
    eventually(lambda: len(stack.list("inferenceservices", paths)) == 1)


def _object(stack: Stack) -> str:
    """The model's address in the storage emulator."""
    place = stack.outputs()["models"]["digits"]["storageUri"].removeprefix("gs://")
    bucket, _, prefix = place.partition("/")
    name = urllib.parse.quote(f"{prefix}/digits/1/model.pt", safe="")
    return f"{stack.cluster.layout.storage()}/storage/v1/b/{bucket}/o/{name}"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("corrupted", "failed reading zip archive"),
        ("missing", "at least one version must be available"),
    ],
)
def test_a_damaged_model_fails_with_tritons_reason(stack: Stack, damage: str, reason: str) -> None:
    stack.deploy()
    url, owner = _object(stack), stack.cluster.layout.owner()
    if damage == "missing":
        answer = urllib3.request("DELETE", url, headers=owner, timeout=10)
    else:
        at = url.replace("/storage/v1/", "/upload/storage/v1/").rpartition("/o/")
        upload = f"{at[0]}/o?uploadType=media&name={at[2]}"
        answer = urllib3.request("POST", upload, body=b"not a model", headers=owner, timeout=10)
    assert answer.status < 300, answer.data
    begun = time.monotonic()
    # Another environment is another pod, which downloads the model anew.
    done = stack.up(predictor={"cpu": "250m", "memory": "2Gi", "env": {"TRY": damage}})
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    assert time.monotonic() - begun < 120
    assert "failed to load" in said, said
    assert reason in said, said
    _answers(stack)
    stack.deploy(_REFRESH)
    _answers(stack)
