"""The load test: real vegeta, real Triton."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from jobs.config import Load
from jobs.load.metrics import Hits, collect
from jobs.load.run import targets
from jobs.load.vegeta import attack
from jobs.progress import Progress
from jobs.protocol import HEADER_LENGTH

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.release import Release
    from tests.triton import Triton


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


def test_generator_that_fell_behind_proves_nothing(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(payloads: Any, job: Load, folder: Path, progress: Progress) -> Hits:
        return collect([str(n * 40_000_000), "200", "1000000", "9", "9", ""] for n in range(75))

    monkeypatch.setattr("jobs.load.run.attack", half)
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


def test_dead_endpoint_is_said(run: Any, load_job: dict[str, Any]) -> None:
    status, words = run("load", load_job | {"url": "http://127.0.0.1:1"})
    assert status == 1
    assert "the endpoint does not answer, so no load was sent" in words
    assert "Connection refused" in words


def test_generator_that_is_not_there_is_said(
    run: Any, triton: Triton, load_job: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEGETA", "/nowhere/vegeta")
    status, words = run("load", load_job | {"url": f"http://{triton.http}"})
    assert status == 1
    assert "/nowhere/vegeta can't be run: No such file or directory" in words


def test_figures_agree_with_vegetas_own_report(
    triton: Triton,
    load_job: dict[str, Any],
    release: Release,
    vegeta: Path,
    write: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VEGETA", str(vegeta))
    job = Load.read(write(load_job | {"url": f"http://{triton.http}", "duration_seconds": 1}))
    hits = attack(targets(job, release), job, tmp_path, Progress())
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


def test_every_sample_is_a_payload_with_its_headers(
    load_job: dict[str, Any], release: Release, write: Any
) -> None:
    raw = load_job | {"url": "http://1.2.3.4", "host_header": "digits.example"}
    binary = targets(Load.read(write(raw)), release)
    assert len({target.body for target in binary}) == len(release.samples)
    assert binary[0].url == "http://1.2.3.4/v2/models/digits/infer"
    assert binary[0].headers["Host"] == "digits.example"
    length = int(binary[0].headers[HEADER_LENGTH])
    assert len(binary[0].body) - length == 3 * 32 * 32 * 4
    images = targets(Load.read(write(raw | {"target": "transformer"})), release)
    assert images[0].url == "http://1.2.3.4/v1/models/digits:predict"
    assert json.loads(images[3].body) == {
        "instances": [{"image_bytes": {"b64": release.samples[3].image}}]
    }
