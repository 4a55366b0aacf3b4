"""The load over gRPC: real ghz, real Triton."""

from __future__ import annotations

import io
import json
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc.service_pb2 import ModelInferRequest

from jobs.load.ghz import infer_messages, read_lines, run_ghz
from jobs.load.metrics import SECOND, Hits, most_in_flight
from jobs.load.vegeta import Attack, LoadError

if TYPE_CHECKING:
    from pathlib import Path

    from local.triton.server import Triton
    from release.schema import Release


@pytest.mark.parametrize("name", ["every", "whole", "rows", "picture"])
def test_any_release_is_loaded_over_grpc(
    run: Any, triton: Triton, load_job: dict[str, Any], releases: dict[str, Release], name: str
) -> None:
    job = load_job | {"url": triton.grpc, "predictor_protocol": "grpc", "model": name}
    status, text = run("load", job | {"duration_seconds": 1}, releases[name])
    assert status == 0, text
    assert "success_ratio: found 1, " in text


def test_result_has_what_vegetas_has(
    run: Any, triton: Triton, load_job: dict[str, Any], tmp_path: Path
) -> None:
    result = tmp_path / "result.json"
    job = load_job | {"url": triton.grpc, "predictor_protocol": "grpc", "result": str(result)}
    status, text = run("load", job | {"duration_seconds": 2})
    assert status == 0, text
    raw = json.loads(result.read_bytes())
    assert raw["requests"] == 100
    assert raw["status_codes"] == {"OK": 100}
    assert raw["payloads"] == "5 different, V2 over gRPC: INPUT__0 FP32 [3, 8, 8]"
    assert 100 * 768 < raw["sent_bytes"] < 100 * 900
    assert raw["service_ms"]["p99"] <= raw["latency_ms"]["p99"]
    assert ">OK<" in (tmp_path / "report.html").read_text()


def test_calls_count_from_when_they_were_sent(
    triton: Triton, release: Release, ghz: Path, tmp_path: Path
) -> None:
    started = time.time_ns()
    attack = Attack(1, 50)
    messages = infer_messages("picture", release)
    hits = run_ghz(triton.grpc, messages, attack, tmp_path, program=str(ghz))
    ended = time.time_ns()
    assert len(hits.at) == len(hits.latency) == sum(hits.good) == 50
    sent = sorted(hits.at)
    assert started <= sent[0]
    assert max(at + took for at, took in zip(hits.at, hits.latency, strict=True)) <= ended
    # The pacer never sends early.
    assert sent[-1] - sent[0] > 0.9 * 49 / 50 * SECOND


def test_clients_send_one_after_another(
    triton: Triton, release: Release, ghz: Path, tmp_path: Path
) -> None:
    messages = infer_messages("picture", release, batch=3)
    attack = Attack(1, clients=2)
    hits = run_ghz(triton.grpc, messages, attack, tmp_path, program=str(ghz))
    assert sum(hits.good) == len(hits.at) > 0
    ended = max(at + took for at, took in zip(hits.at, hits.latency, strict=True))
    assert sum(hits.latency) <= 2 * (ended - min(hits.at))


def test_messages_have_the_tensors_in_their_binary_form(releases: dict[str, Release]) -> None:
    first, *_ = infer_messages("every", releases["every"])
    assert isinstance(first, ModelInferRequest)
    assert [each.datatype for each in first.inputs] == [
        tensor.dtype for tensor in releases["every"].inputs
    ]
    stored = releases["every"].samples[0].inputs
    assert list(first.raw_input_contents) == [each.raw for each in stored]


LINE = 'ghz_detail,call="c",data="",hasError={} latency={},error="{}",status="{}" {}\n'


@given(
    st.lists(
        st.tuples(st.integers(1, 10**10), st.text(max_size=50), st.sampled_from(["OK", "Unknown"]))
    )
)
def test_every_call_is_read_whatever_its_error_says(
    calls: list[tuple[int, str, str]],
) -> None:
    """ghz escapes spaces, commas and equals signs, and nothing else."""
    text = "".join(
        LINE.format("true", took, re.sub(r"([ ,=])", r"\\\1", error), status, 2 * 10**18 + n)
        for n, (took, error, status) in enumerate(calls)
    )
    hits = Hits()
    read_lines(io.StringIO(text, newline="\n"), hits)
    assert list(hits.latency) == [took for took, _, _ in calls]
    assert [at + took for at, took in zip(hits.at, hits.latency, strict=True)] == [
        2 * 10**18 + n for n in range(len(calls))
    ]
    assert sum(hits.good) == [status for _, _, status in calls].count("OK")


def test_calls_without_an_answer_are_bounded(
    ghz: Path, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that accepts connections and says nothing."""
    monkeypatch.setattr("jobs.load.vegeta.MAX_IN_FLIGHT", 20)
    monkeypatch.setattr("jobs.load.ghz.SPARE_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        attack = Attack(1, 200, timeout_seconds=0.5)
        messages = infer_messages("picture", release)
        hits = run_ghz(address, messages, attack, tmp_path, program=str(ghz))
    assert 1 < most_in_flight(hits) <= 20
    assert len(hits.at) < 200
    assert sum(hits.good) == 0


def test_large_messages_are_fewer_at_a_time(
    triton: Triton, release: Release, ghz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = infer_messages("picture", release)
    largest = max(message.ByteSize() for message in messages)
    monkeypatch.setattr("jobs.load.ghz.IN_FLIGHT_BYTES", 30 * largest)
    hits = run_ghz(triton.grpc, messages, Attack(1, 50), tmp_path, program=str(ghz))
    assert hits.limit == 30
    assert len(hits.at) == 50


def test_refused_calls_are_counted_by_their_error(
    triton: Triton, release: Release, ghz: Path, tmp_path: Path
) -> None:
    messages = infer_messages("absent", release)
    hits = run_ghz(triton.grpc, messages, Attack(1, 20), tmp_path, program=str(ghz))
    assert sum(hits.good) == 0
    assert sum(hits.statuses.values()) == len(hits.at) == 20
    assert "OK" not in hits.statuses
    ((error, count),) = hits.errors.items()
    assert count == 20
    assert "absent" in error


def test_refused_sample_sends_no_load(run: Any, triton: Triton, load_job: dict[str, Any]) -> None:
    job = load_job | {"url": triton.grpc, "predictor_protocol": "grpc", "model": "absent"}
    status, text = run("load", job)
    assert status == 1
    assert "the endpoint does not answer a sample, so no load was sent" in text
    assert "absent" in text


def test_an_unreachable_endpoint_is_reported(run: Any, load_job: dict[str, Any]) -> None:
    job = load_job | {"url": "127.0.0.1:1", "predictor_protocol": "grpc"}
    status, text = run("load", job)
    assert status == 1
    assert "the endpoint does not answer a sample, so no load was sent" in text


def test_a_missing_generator_is_reported(triton: Triton, release: Release, tmp_path: Path) -> None:
    messages = infer_messages("picture", release)
    with pytest.raises(LoadError, match=r"/nowhere/ghz can't be run: .*variable GHZ"):
        run_ghz(triton.grpc, messages, Attack(1, 5), tmp_path, program="/nowhere/ghz")


def test_progress_is_reported_while_the_load_runs(
    triton: Triton, release: Release, ghz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.load.vegeta.REPORT_SECONDS", 0.2)
    lines: list[str] = []
    run_ghz(
        triton.grpc,
        infer_messages("picture", release),
        Attack(1, 20),
        tmp_path,
        program=str(ghz),
        report=lines.append,
    )
    assert lines
    assert lines[0].endswith("of 1 s")
