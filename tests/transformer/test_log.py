"""The log: failures in large numbers, and a reader that stops reading."""

from __future__ import annotations

import fcntl
import http.client
import json
import logging
import os
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.transformer.server import PATIENCE_SECONDS, Transformer
from transformer.log_writer import FIRST, MAX_KINDS, PERIOD_SECONDS, Repeats

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS = 1500


def record(message: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message})


@given(
    st.lists(
        st.tuples(st.sampled_from(["bad 1", "bad 2", "worse"]), st.floats(0, PERIOD_SECONDS)),
        max_size=100,
    )
)
def test_a_record_is_either_written_or_counted(steps: list[tuple[str, float]]) -> None:
    repeats, now, written, counted = Repeats(), 0.0, 0, 0
    for message, pause in steps:
        now += pause
        counted += sum(count for _, count in repeats.end_periods(now))
        written += repeats.admit(record(message), now)
    counted += sum(count for _, count in repeats.end_periods(float("inf")))
    assert written + counted == len(steps)
    assert repeats.kinds == {}


def test_the_first_of_a_kind_are_written_and_numbers_make_no_other_kind() -> None:
    repeats = Repeats()
    admitted = [
        repeats.admit(record(f"instances[{index}]: empty"), 0) for index in range(FIRST + 5)
    ]
    assert admitted == [True] * FIRST + [False] * 5
    ((last, repeated),) = repeats.end_periods(PERIOD_SECONDS)
    assert (last.getMessage(), repeated) == (f"instances[{FIRST + 4}]: empty", 5)
    assert repeats.admit(record("instances[0]: empty"), PERIOD_SECONDS)


def test_kinds_without_number_take_bounded_memory_and_lines() -> None:
    repeats = Repeats()
    messages = ["".join(chr(ord("a") + int(digit)) for digit in str(n)) for n in range(10_000)]
    written = sum(repeats.admit(record(message), 0) for message in messages)
    assert len(repeats.kinds) <= MAX_KINDS + 1
    assert written <= MAX_KINDS + FIRST


def test_a_repeated_failure_is_counted(tmp_path: Path) -> None:
    with Transformer("127.0.0.1:1", tmp_path) as made:
        for _ in range(336):
            assert made.predict(b"{}")[0] == 400
    failures = [line for line in made.lines() if line.get("status") == 400]
    assert sum(line.get("repeated", 1) for line in failures) == 336
    # A machine that is very slow takes more than one period for them.
    assert len(failures) < 336 // 4
    assert failures[-1]["repeated"] > FIRST
    assert failures[-1]["path"] == "/v1/models/digits:predict"


def unread(made: Transformer) -> int:
    """Make its log a pipe that holds a few lines; the end to read from."""
    os.mkfifo(made.log)
    reader = os.open(made.log, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    return reader


def fail(made: Transformer) -> None:
    """Requests that are answered with 404, and logged in more lines than the log keeps."""
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=PATIENCE_SECONDS)
    for index in range(REQUESTS):
        kind = "".join(chr(ord("a") + int(digit)) for digit in str(index // FIRST))
        connection.request("GET", f"/{kind}")
        answer = connection.getresponse()
        assert (answer.status, answer.read()[:9]) == (404, b'{"error":')


def test_a_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    made = Transformer("127.0.0.1:1", tmp_path)
    with os.fdopen(unread(made), "rb"):
        with made:
            fail(made)
            assert made.ask("/v2/health/live")[0] == 200
            assert made.ask("/v2/health/ready")[0] == 200
        assert made.process.returncode == 0


def test_a_log_that_is_read_again_says_how_much_is_missing(tmp_path: Path) -> None:
    made = Transformer("127.0.0.1:1", tmp_path)
    with os.fdopen(unread(made), "rb", buffering=0) as log, made:
        fail(made)
        os.set_blocking(log.fileno(), True)
        made.process.terminate()
        lines = [json.loads(line) for line in log.readall().splitlines()]
    failures = [line for line in lines if line.get("status") == 404]
    told = [line["message"] for line in lines if "are missing" in line["message"]]
    missing = sum(int(message.partition(" ")[0].replace(",", "")) for message in told)
    assert missing > 0
    assert len(failures) + missing >= MAX_KINDS * FIRST
