"""The configuration of a Job: what the program writes is valid; an error names the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from jobs.__main__ import main
from jobs.config import JOB_VARIABLE, JobError, LoadConfig, VerifyConfig, read_config
from jobs.samples import read_release

T = TypeVar("T")


def read(kind: type[T], write: Any, raw: dict[str, Any]) -> T:
    return read_config(kind, write({"release_digest": "0" * 64} | raw if "service" in raw else raw))


def test_verify_job_as_the_program_writes_it(write: Any, verify_job: dict[str, Any]) -> None:
    job = read(VerifyConfig, write, verify_job | {"predictor_url": "http://digits.models"})
    assert job.predictor_url == "http://digits.models"
    assert job.predictions == "equal"
    assert job.tolerance == 1e-3
    assert job.transformer_url is None


def test_a_container_finds_its_job_in_the_environment(
    load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JOB_VARIABLE, json.dumps(load_job | {"url": "http://digits.models"}))
    assert read_config(LoadConfig).url == "http://digits.models"
    monkeypatch.setenv(JOB_VARIABLE, json.dumps(load_job))
    with pytest.raises(JobError, match=f"{JOB_VARIABLE}: url: missing"):
        read_config(LoadConfig)
    monkeypatch.delenv(JOB_VARIABLE)
    with pytest.raises(JobError, match=f"{JOB_VARIABLE} is not set; allowed: .* --config FILE"):
        read_config(LoadConfig)


GOLDEN = sorted((Path(__file__).parents[1] / "golden").rglob("*.yaml"))


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.stem)
def test_the_programs_jobs_have_a_valid_configuration(
    golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []
    for manifest in yaml.safe_load_all(golden.read_text()):
        # A Job that compiles a model has no configuration.
        if manifest["kind"] == "Job" and JOB_VARIABLE in str(manifest):
            (container,) = manifest["spec"]["template"]["spec"]["containers"]
            (variable,) = (env for env in container["env"] if env["name"] == JOB_VARIABLE)
            monkeypatch.setenv(JOB_VARIABLE, variable["value"])
            commands.append(container["args"][0])
            read_config({"verify": VerifyConfig, "load": LoadConfig}[commands[-1]])
    # `prod` has no load test.
    assert {"verify"} <= set(commands) <= {"verify", "load"}


def test_grpc_address_needs_no_scheme(write: Any, verify_job: dict[str, Any]) -> None:
    address = "digits-predictor.models.svc.cluster.local:80"
    raw = verify_job | {"predictor_url": address}
    job = read(VerifyConfig, write, raw | {"predictor_protocol": "grpc"})
    assert job.predictor_url == address
    with pytest.raises(JobError, match="predictor_url: found"):
        read(VerifyConfig, write, raw)


def test_load_job_as_the_program_writes_it(write: Any, load_job: dict[str, Any]) -> None:
    raw = load_job | {"url": "http://digits.models", "result": "gs://b/r.json"}
    job = read(LoadConfig, write, raw)
    assert (job.rate, job.duration_seconds, job.objectives.rate_ratio) == (50, 3, 0.01)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rate": 0}, "rate: found 0"),
        ({"rate": 1.5}, "rate: found 1.5"),
        ({"rate": True}, "rate: found True"),
        ({"rate": "100"}, "rate: found '100'"),
        ({"url": "digits.models"}, "url: found 'digits.models'"),
        ({"url": "http://digits.models/"}, "no slash at its end"),
        ({"predictor_protocol": "grpc"}, "url: found 'http://digits.models'; allowed: HOST:PORT"),
        ({"url": None}, "url: found None"),
        ({"target": "explainer"}, "target: found"),
        ({"duration_seconds": -1}, "duration_seconds: found -1"),
        ({"objectives": {"p99_ms": 1}}, "objectives.success_ratio: missing"),
        ({"objectives": None}, "objectives: found None"),
        ({"result": "result.json"}, "result: found"),
        ({"retries": 3}, "retries: no such field"),
    ],
)
def test_wrong_field_of_a_load_job_is_named(
    write: Any, load_job: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    with pytest.raises(JobError) as raised:
        read(LoadConfig, write, load_job | {"url": "http://digits.models"} | change)
    assert field in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mode": "Serverless"}, "mode: found"),
        ({"deadline_seconds": None}, "deadline_seconds: found None"),
        ({"tolerance": float("nan")}, "tolerance: found nan"),
        ({"tolerance": 0}, "tolerance: found 0; allowed: a number above 0"),
        ({"predictions": "some"}, "predictions: found 'some'; allowed: 'equal' or 'any'"),
        ({"predictor_url": None}, "predictor_url: missing"),
    ],
)
def test_wrong_field_of_a_verification_is_named(
    write: Any, verify_job: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    with pytest.raises(JobError) as raised:
        read(VerifyConfig, write, verify_job | {"predictor_url": "http://digits"} | change)
    assert field in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_an_invalid_configuration_ends_with_status_2(
    write: Any, release_file: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    path = write(text)
    assert main(["load", "--config", str(path), "--release", str(release_file)]) == 2
    assert capsys.readouterr().out.startswith(f"load: {path}: ")


def test_job_of_another_release_ends_with_status_2(
    write: Any,
    verify_job: dict[str, Any],
    release_file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = verify_job | {"predictor_url": "http://127.0.0.1:1", "release_digest": "abc"}
    assert main(["verify", "--config", str(write(job)), "--release", str(release_file)]) == 2
    assert "release_digest: found abc" in capsys.readouterr().out


def test_an_invalid_release_is_named(write: Any) -> None:
    with pytest.raises(JobError, match=r"release\.json: model: missing; build it again"):
        read_release(write({"name": "digits"}, "release.json"))
