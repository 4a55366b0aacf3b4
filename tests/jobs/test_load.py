"""The load test: real vegeta, real Triton."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from jobs.config import JobError, LoadConfig, read_config
from jobs.load.metrics import Hits, collect
from jobs.load.vegeta import Attack, Recording
from jobs.protocols import HEADER_LENGTH
from jobs.samples import rows, sample_targets
from tests.jobs.server import Asked, Server
from tests.release.examples import texts

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton
    from release.schema import Release


def test_pass_with_loose_objectives(
    run: Any,
    triton: Triton,
    load_job: dict[str, Any],
    release: Release,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = tmp_path / "result.json"
    status, text = run("load", load_job | {"url": f"http://{triton.http}", "result": str(result)})
    assert status == 0, text
    assert text.startswith("load test of picture: pass\np99_ms: found ")
    raw = json.loads(result.read_bytes())
    assert raw["verdict"] == "pass"
    assert raw["release_digest"] == release.digest
    assert raw["requests"] == 150
    assert raw["status_codes"] == {"200": 150}
    assert raw["payloads"] == "5 different, V2 over HTTP: INPUT__0 FP32 [3, 8, 8]"
    # 3 × 8 × 8 floats, and the JSON before them.
    assert 150 * 768 < raw["sent_bytes"] < 150 * 1200
    assert raw["rate"]["achieved"] > 0
    assert sum(item["count"] for item in raw["latency_ms"]["histogram"]) == 150
    assert raw["service_ms"]["p99"] <= raw["latency_ms"]["p99"]
    assert sum(each["requests"] for each in raw["over_time"]) == 150
    said = capsys.readouterr().out
    assert "p99.9" in said
    assert f"report: {tmp_path / 'report.html'}" in said
    assert "✓ pass" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_impossible_objective_fails_and_is_named(
    run: Any, triton: Triton, load_job: dict[str, Any]
) -> None:
    job = load_job | {"url": f"http://{triton.http}", "duration_seconds": 1}
    status, text = run("load", job | {"objectives": job["objectives"] | {"p99_ms": 0.001}})
    assert status == 1
    lines = text.splitlines()
    assert lines[0] == "load test of picture: fail"
    assert lines[1].endswith("wanted at most 0.001: MISSED")
    assert lines[2].startswith("success_ratio: found 1, wanted at least 0.999: met")


def test_a_rate_that_was_not_kept_is_invalid(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(*_: Any, **__: Any) -> Hits:
        return collect([str(n * 40_000_000), "200", "1000000", "9", "9", ""] for n in range(75))

    monkeypatch.setattr("jobs.load.run.run_attack", half)
    objectives = load_job["objectives"] | {"rate_ratio": 0.9}
    job = load_job | {"url": f"http://{triton.http}", "objectives": objectives}
    status, text = run("load", job)
    assert status == 1
    assert text.startswith("load test of picture: invalid\n")
    assert "rate_ratio: found 0.5, wanted at least 0.9: MISSED" in text
    assert text.endswith("give the Job more CPU.")


def test_refused_sample_sends_no_load(run: Any, triton: Triton, load_job: dict[str, Any]) -> None:
    status, text = run("load", load_job | {"url": f"http://{triton.http}", "model": "absent"})
    assert status == 1
    assert "the endpoint does not answer a sample, so no load was sent" in text
    assert "absent" in text


def test_an_unreachable_endpoint_is_reported(run: Any, load_job: dict[str, Any]) -> None:
    status, text = run("load", load_job | {"url": "http://127.0.0.1:1"})
    assert status == 1
    assert "the endpoint does not answer a sample, so no load was sent" in text
    assert "Connection refused" in text


def test_a_missing_generator_is_reported(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEGETA", "/nowhere/vegeta")
    status, text = run("load", load_job | {"url": f"http://{triton.http}"})
    assert status == 1
    assert "/nowhere/vegeta can't be run: No such file or directory" in text


def test_figures_agree_with_vegetas_own_report(
    triton: Triton, release: Release, vegeta: Path, tmp_path: Path
) -> None:
    targets = sample_targets(f"http://{triton.http}/v2/models/picture/infer", release)
    given = tmp_path / "targets.json"
    given.write_text("".join(f"{target.to_json()}\n" for target in targets))
    command = [str(vegeta), *Attack(1, 50).arguments(given)]
    recorded = tmp_path / "results.bin"
    recorded.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    with recorded.open("rb") as results, Recording(str(vegeta), results) as recording:
        assert recording.finish()
    text = subprocess.run(
        [str(vegeta), "report", "-type=json", str(recorded)], capture_output=True, check=True
    ).stdout
    own, hits = json.loads(text), recording.hits
    assert own["requests"] == len(hits.latency) == 50
    assert own["latencies"]["total"] == sum(hits.latency)
    assert own["latencies"]["max"] == max(hits.latency)
    assert own["bytes_out"]["total"] == hits.sent


def test_an_endpoint_that_is_overloaded_has_failed(
    run: Any, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate is not kept, and that is not for want of CPU of the load generator's."""
    monkeypatch.setattr("jobs.load.vegeta.MAX_IN_FLIGHT", 10)

    def answer(_: Asked) -> tuple[int, bytes]:
        time.sleep(0.4)
        return 200, b"{}"

    with Server(answer) as server:
        objectives = load_job["objectives"] | {"rate_ratio": 0.9}
        job = load_job | {"url": server.url, "rate": 200, "objectives": objectives}
        status, text = run("load", job)
    assert status == 1
    assert text.startswith("load test of picture: fail\n")
    assert text.endswith("it does not serve this rate.")


def test_more_requests_than_are_kept_are_refused(write: Any, load_job: dict[str, Any]) -> None:
    job = load_job | {"url": "http://digits", "rate": 1000, "duration_seconds": 1001}
    with pytest.raises(JobError, match="requests; allowed: 1000000 in all"):
        read_config(LoadConfig, write(job))


def test_every_sample_is_a_request_with_its_headers(release: Release) -> None:
    url = "http://1.2.3.4/v2/models/picture/infer"
    tensors = sample_targets(url, release, host="picture.example")
    assert len({target.body for target in tensors}) == len(release.samples)
    assert tensors[0].url == url
    assert tensors[0].headers["Host"] == "picture.example"
    length = int(tensors[0].headers[HEADER_LENGTH])
    assert len(tensors[0].body) - length == 3 * 8 * 8 * 4
    images = sample_targets("http://1.2.3.4/v1/models/picture:predict", release)
    assert json.loads(images[3].body) == {
        "instances": [{"image_bytes": {"b64": release.samples[3].image}}]
    }


@pytest.mark.parametrize("name", ["every", "whole", "rows"])
def test_any_release_is_loaded(
    run: Any, triton: Triton, load_job: dict[str, Any], releases: dict[str, Release], name: str
) -> None:
    job = load_job | {"url": f"http://{triton.http}", "duration_seconds": 1, "model": name}
    status, text = run("load", job, releases[name])
    assert status == 0, text


def test_rows_of_a_request_have_one_shape(releases: dict[str, Release]) -> None:
    every = releases["every"]
    for targets in rows(every, 3):
        shapes = {tuple(each.shape for each in sample.inputs) for sample in targets}
        assert len(targets) == 3
        assert len(shapes) == 1
    url = "http://1.2.3.4/v1/models/every:predict"
    for target in sample_targets(url, every, batch=2):
        first, second = json.loads(target.body)["instances"]
        assert len(first["in_bytes"]) == len(second["in_bytes"])


def test_release_without_a_batch_has_one_row_a_request(releases: dict[str, Release]) -> None:
    with pytest.raises(JobError, match="rows a request: found 2; allowed: 1"):
        sample_targets("http://1.2.3.4/v2/models/whole/infer", releases["whole"], batch=2)


def test_handler_without_exchanges_has_no_v1_requests() -> None:
    with pytest.raises(JobError, match="no V1 requests: found no exchanges"):
        sample_targets("http://1.2.3.4/v1/models/topics:predict", texts(exchanges=()))


def test_requests_of_a_handler_have_as_many_instances_as_asked() -> None:
    targets = sample_targets("http://1.2.3.4/v1/models/topics:predict", texts(), batch=3)
    first, second = (json.loads(target.body)["instances"] for target in targets)
    assert [each["text"] for each in first] == ["They won.", "It rains.", "They won."]
    assert [each["text"] for each in second] == ["It rains.", "They won.", "It rains."]
