"""The load test: real vegeta, real Triton."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from jobs.config import LoadConfig
from jobs.load.metrics import Hits, collect
from jobs.load.vegeta import Attack, run_attack
from jobs.samples import HEADER_LENGTH, sample_targets

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
    status, words = run("load", load_job | {"url": f"http://{triton.http}", "result": str(result)})
    assert status == 0, words
    assert words.startswith("load test of digits: pass\np99_ms: found ")
    raw = json.loads(result.read_bytes())
    assert raw["verdict"] == "pass"
    assert raw["release_digest"] == release.digest
    assert raw["requests"] == 150
    assert raw["status_codes"] == {"200": 150}
    assert raw["payloads"] == 10
    # 3 × 32 × 32 floats, and the JSON before them.
    assert 150 * 12_288 < raw["bytes"]["sent"] < 150 * 12_800
    assert raw["rate"]["achieved"] == pytest.approx(50, rel=0.1)
    assert sum(item["count"] for item in raw["latency_ms"]["histogram"]) == 150
    assert raw["service_ms"]["p99"] <= raw["latency_ms"]["p99"]
    assert [each["requests"] for each in raw["over_time"]] == pytest.approx([50] * 3, abs=5)
    said = capsys.readouterr().out
    assert "p99.9" in said
    assert f"report: {tmp_path / 'report.html'}" in said
    assert "✓ pass" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_impossible_objective_fails_and_is_named(
    run: Any, triton: Triton, load_job: dict[str, Any]
) -> None:
    job = load_job | {"url": f"http://{triton.http}", "duration_seconds": 1}
    status, words = run("load", job | {"objectives": job["objectives"] | {"p99_ms": 0.001}})
    assert status == 1
    lines = words.splitlines()
    assert lines[0] == "load test of digits: fail"
    assert lines[1].endswith("wanted at most 0.001: MISSED")
    assert lines[2].startswith("success_ratio: found 1, wanted at least 0.999: met")


def test_a_rate_that_was_not_kept_is_invalid(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(*_: Any, **__: Any) -> Hits:
        return collect([str(n * 40_000_000), "200", "1000000", "9", "9", ""] for n in range(75))

    monkeypatch.setattr("jobs.load.run.run_attack", half)
    status, words = run("load", load_job | {"url": f"http://{triton.http}"})
    assert status == 1
    assert words.startswith("load test of digits: invalid\n")
    assert "rate_ratio: found 0.5, wanted at least 0.9: MISSED" in words
    assert words.endswith("give the Job more CPU.")


def test_refused_sample_sends_no_load(run: Any, triton: Triton, load_job: dict[str, Any]) -> None:
    status, words = run("load", load_job | {"url": f"http://{triton.http}", "model": "absent"})
    assert status == 1
    assert "the endpoint refuses a sample, so no load was sent" in words
    assert "absent" in words


def test_an_unreachable_endpoint_is_reported(run: Any, load_job: dict[str, Any]) -> None:
    status, words = run("load", load_job | {"url": "http://127.0.0.1:1"})
    assert status == 1
    assert "the endpoint does not answer, so no load was sent" in words
    assert "Connection refused" in words


def test_a_missing_generator_is_reported(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEGETA", "/nowhere/vegeta")
    status, words = run("load", load_job | {"url": f"http://{triton.http}"})
    assert status == 1
    assert "/nowhere/vegeta can't be run: No such file or directory" in words


def test_figures_agree_with_vegetas_own_report(
    triton: Triton,
    release: Release,
    vegeta: Path,
    tmp_path: Path,
) -> None:
    targets = sample_targets(f"http://{triton.http}/v2/models/digits/infer", release)
    hits = run_attack(targets, Attack(1, 50), tmp_path, program=str(vegeta))
    text = subprocess.run(
        [str(vegeta), "report", "-type=json", str(tmp_path / "results.bin")],
        capture_output=True,
        check=True,
    ).stdout
    own = json.loads(text)
    assert own["requests"] == len(hits.latency) == 50
    assert own["latencies"]["total"] == sum(hits.latency)
    assert own["latencies"]["max"] == max(hits.latency)
    assert own["bytes_out"]["total"] == hits.sent
    assert own["bytes_in"]["total"] == hits.received


def test_every_sample_is_a_request_with_its_headers(release: Release) -> None:
    url = "http://1.2.3.4/v2/models/digits/infer"
    tensors = sample_targets(url, release, host="digits.example")
    assert len({target.body for target in tensors}) == len(release.samples)
    assert tensors[0].url == url
    assert tensors[0].headers["Host"] == "digits.example"
    length = int(tensors[0].headers[HEADER_LENGTH])
    assert len(tensors[0].body) - length == 3 * 32 * 32 * 4
    images = sample_targets("http://1.2.3.4/v1/models/digits:predict", release)
    assert json.loads(images[3].body) == {
        "instances": [{"image_bytes": {"b64": release.samples[3].image}}]
    }


@pytest.mark.parametrize(
    ("target", "path"),
    [("transformer", "/v1/models/digits:predict"), ("predictor", "/v2/models/digits/infer")],
)
def test_the_target_decides_the_protocol(
    load_job: dict[str, Any], write: Any, target: str, path: str
) -> None:
    config = LoadConfig.read(write(load_job | {"url": "http://1.2.3.4", "target": target}))
    assert config.request_url == f"http://1.2.3.4{path}"
