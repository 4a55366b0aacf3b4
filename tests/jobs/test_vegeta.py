"""Attacks of the real vegeta, and their recordings."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from jobs.load.metrics import collect, most_in_flight
from jobs.load.vegeta import Attack, LoadError, Recording, Summary, run_attack
from jobs.samples import Target
from tests.jobs.server import Asked, Server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def recorded(vegeta: Path, tmp_path: Path) -> Path:
    """vegeta's own recording of 100 requests, of which every fourth fails."""
    count = iter(range(1000))
    with Server(lambda _: (503 if next(count) % 4 == 3 else 200, b"{}")) as server:
        subprocess.run(
            [vegeta, "attack", "-rate=200/1s", "-duration=500ms", f"-output={tmp_path / 'whole'}"],
            input=f"GET {server.url}".encode(),
            check=True,
        )
    return tmp_path / "whole"


def test_a_growing_recording_is_read_to_its_end(vegeta: Path, recorded: Path) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as results:
        recording = Recording(str(vegeta), results)
    with recording:
        whole = recorded.read_bytes()
        with os.fdopen(writing, "wb", buffering=0) as out:
            # Cut anywhere, as a reader sees what is just being written.
            for at in range(0, len(whole), 777):
                out.write(whole[at : at + 777])
        assert recording.finish()
    assert len(recording.hits.at) == 100
    assert recording.hits.statuses == {"200": 75, "503": 25}
    assert sum(recording.hits.good) == 75


def test_an_invalid_recording_is_detected(vegeta: Path, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"no recording" * 100)
    with made.open("rb") as results, Recording(str(vegeta), results) as recording:
        assert not recording.finish()


def test_progress_is_reported_while_the_load_runs(
    vegeta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.load.vegeta.REPORT_SECONDS", 0)
    lines: list[str] = []
    with Server(lambda _: (200, b"{}")) as server:
        targets = [Target(server.url, {}, b"x")]
        hits = run_attack(
            targets, Attack(1, 50), tmp_path, program=str(vegeta), report=lines.append
        )
    assert len(hits.at) == 50
    pattern = r"[01] of 1 s: \d+ answers(, \d+/s, p50 [\d.]+ ms, p99 [\d.]+ ms)?, 0 errors"
    assert lines
    assert all(re.fullmatch(pattern, line) for line in lines), lines


def test_clients_of_a_closed_loop_wait_for_their_answers(vegeta: Path, tmp_path: Path) -> None:
    free = threading.Semaphore(2)

    def answer(_: Asked) -> tuple[int, bytes]:
        if not free.acquire(blocking=False):
            return 503, b"a third request at once"
        time.sleep(0.01)
        free.release()
        return 200, b"{}"

    with Server(answer) as server:
        targets = [Target(server.url, {}, b"x")]
        hits = run_attack(targets, Attack(0.5, clients=2), tmp_path, program=str(vegeta))
    assert sum(hits.good) == len(hits.at) == len(server.asked)


def test_without_progress_the_answers_are_not_kept_either(vegeta: Path, tmp_path: Path) -> None:
    with Server(lambda _: (200, b"x" * 200_000)) as server:
        targets = [Target(server.url, {}, b"x")]
        run_attack(targets, Attack(1, 100), tmp_path, program=str(vegeta))
    assert 0 < (tmp_path / "results.bin").stat().st_size < 100_000


def test_what_is_written_does_not_grow_with_the_answers(vegeta: Path, tmp_path: Path) -> None:
    """20 MB of answers in 100, of which no file keeps any."""
    lines: list[str] = []
    with Server(lambda _: (200, b"x" * 200_000)) as server:
        targets = [Target(server.url, {}, b"x")]
        attack = Attack(1, 100)
        hits = run_attack(targets, attack, tmp_path, program=str(vegeta), report=lines.append)
    assert sum(hits.good) == 100
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 1000


def test_requests_without_an_answer_are_bounded(
    vegeta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that takes longer than the time-out gets as many as allowed, and no more."""
    monkeypatch.setattr("jobs.load.vegeta.MAX_IN_FLIGHT", 20)
    stop = threading.Event()

    def answer(_: Asked) -> tuple[int, bytes]:
        stop.wait(10)
        return 200, b"{}"

    with Server(answer) as server:
        targets = [Target(server.url, {}, b"x")]
        attack = Attack(1, 200, timeout_seconds=0.5)
        hits = run_attack(targets, attack, tmp_path, program=str(vegeta))
        stop.set()
    assert most_in_flight(hits) == 20
    assert len(hits.at) < 100
    assert sum(hits.good) == 0


def test_a_generator_that_does_not_end_is_killed(
    vegeta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.load.vegeta.MARGIN_SECONDS", -10.5)
    with (
        Server(lambda _: (200, b"{}")) as server,
        pytest.raises(LoadError, match="the load generator did not end within"),
    ):
        targets = [Target(server.url, {}, b"x")]
        run_attack(targets, Attack(1, 50), tmp_path, program=str(vegeta))


def test_a_line_of_progress_has_the_rate_since_the_last_line() -> None:
    hits = collect([])
    lines = Summary(hits, 60)
    assert lines.line(3) == "3 of 60 s: 0 answers, 0 errors"
    collect([["0", "200", "2000000", "1", "1", ""]] * 300, hits)
    assert lines.line(6) == "6 of 60 s: 300 answers, 100/s, p50 2.00 ms, p99 2.00 ms, 0 errors"
    collect([["0", "503", "4000000", "1", "1", ""]] * 150, hits)
    assert lines.line(9) == "9 of 60 s: 450 answers, 50/s, p50 4.00 ms, p99 4.00 ms, 150 errors"
