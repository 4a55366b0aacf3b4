"""vegeta, the load generator: its command line, an attack, and the requests that it recorded.

The load test, the tuner and the benchmark all send their load with this module. In the load test
vegeta's results go through a pipe, so that they take no space on disk.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Self

import numpy as np

from jobs.load.metrics import MILLISECOND, Hits, collect, percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jobs.samples import Target

__all__ = [
    "MAX_IN_FLIGHT",
    "Attack",
    "LoadError",
    "Recording",
    "missing",
    "run_attack",
    "running",
    "wait_for",
]

# vegeta opens connections before an attack and waits for answers after it.
MARGIN_SECONDS = 60.0
REPORT_SECONDS = 3.0
POLL_SECONDS = 0.1
# A load generator's requests without an answer, at most: each takes memory, and a rate times the
# time-out has no bound. vegeta takes 120 MiB with as many.
MAX_IN_FLIGHT = 2000
# Below the generator's, above none: results that wait in a full pipe would hold requests up.
READER_PRIORITY = 10
PIPE_BYTES = 1 << 20


class LoadError(Exception):
    """The load could not be sent, or its result not stored; the message says why."""


@dataclass(frozen=True)
class Attack:
    """A load: `rate` requests a second (an open loop), or `clients` that each send their next
    request when they have an answer (a closed loop).

    An open loop has at most MAX_IN_FLIGHT requests without an answer. The bodies of answers are
    read and not kept.
    """

    seconds: float
    rate: int | None = None
    clients: int | None = None
    timeout_seconds: float = 10.0

    @property
    def most_at_once(self) -> int:
        """Requests without an answer, at most."""
        return self.clients or MAX_IN_FLIGHT

    def arguments(self, targets: Path) -> list[str]:
        """Arguments of the vegeta program."""
        workers = [f"-workers={self.clients}"] if self.clients else []
        return [
            *("attack", "-format=json", f"-targets={targets}", f"-rate={self.rate or 0}/1s"),
            *(*workers, f"-max-workers={self.most_at_once}"),
            f"-duration={_milliseconds(self.seconds)}",
            f"-timeout={_milliseconds(self.timeout_seconds)}",
            # A redirect is an error here.
            *("-redirects=-1", "-max-body=0"),
        ]


def run_attack(
    targets: Sequence[Target],
    attack: Attack,
    folder: Path,
    *,
    program: str | None = None,
    report: Callable[[str], None] | None = None,
) -> Hits:
    """Run an attack and return its requests.

    `folder` holds vegeta's files; `program` is `$VEGETA` or `vegeta` on PATH by default; `report`
    receives a line of progress every few seconds. Without it the results are read from a file when
    the attack has ended, so that nothing else takes CPU meanwhile. Raises LoadError when vegeta
    can't be run, fails, or sends nothing.
    """
    program = program or os.environ.get("VEGETA") or "vegeta"
    given, output = folder / "targets.json", folder / "output.txt"
    given.write_text("".join(f"{target.to_json()}\n" for target in targets))
    command = [program, *attack.arguments(given)]
    if report:
        with running(command, "VEGETA", output) as (process, results):
            with results:
                recording = Recording(program, results, READER_PRIORITY)
            with recording:
                summary = Summary(recording.hits, attack.seconds)
                wait_for(process, attack, output, lambda seconds: report(summary.line(seconds)))
                complete = recording.finish()
    else:
        recorded = folder / "results.bin"
        with running([*command, f"-output={recorded}"], "VEGETA", output) as (process, _):
            wait_for(process, attack, output)
        with recorded.open("rb") as results, Recording(program, results) as recording:
            complete = recording.finish()
    if recording.hits.at and not complete:
        raise LoadError("vegeta can't read its own results")
    if not recording.hits.at:
        raise LoadError(f"vegeta sent no request to {targets[0].url}")
    recording.hits.limit = attack.most_at_once
    return recording.hits


@contextmanager
def running(
    command: Sequence[str], variable: str, output: Path
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a load generator, and end it if it still runs; yields it and the pipe of its results.

    Its error output goes to a file; `variable` may have its path. Raises LoadError when it can't be
    run.
    """
    with output.open("wb") as errors:
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, pipesize=PIPE_BYTES
            )
        except OSError as error:
            raise missing(command[0], variable, error) from error
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.wait()


def wait_for(
    process: subprocess.Popen[bytes],
    attack: Attack,
    output: Path,
    report: Callable[[float], object] | None = None,
) -> None:
    """Wait for a load generator to end; `report` is called every few seconds with the seconds.

    Raises LoadError when it fails, or doesn't end.
    """
    limit = attack.seconds + attack.timeout_seconds + MARGIN_SECONDS
    started, reported = time.monotonic(), 0.0
    while (status := _wait(process)) is None:
        seconds = time.monotonic() - started
        if report and seconds - reported >= REPORT_SECONDS:
            report(seconds)
            reported = seconds
        if seconds > limit:
            raise LoadError(f"the load generator did not end within {limit:g} s")
    if status:
        text = output.read_text(errors="replace").strip()
        raise LoadError(f"the load generator ended with exit status {status}: {text[-1000:]}")


def missing(program: str, variable: str, error: OSError) -> LoadError:
    """The error for a load generator that can't be run."""
    return LoadError(
        f"the load generator {program} can't be run: {error.strerror}; install it on PATH, or set "
        f"the environment variable {variable} to its path"
    )


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


class Recording:
    """Reads vegeta's results, also while they are written; `hits` are the requests read so far.

    `vegeta encode` decodes them; vegeta's own report would only give estimates of percentiles.
    """

    def __init__(self, program: str, results: IO[bytes], priority: int = 0) -> None:
        """Start to decode an open file or pipe, at a priority (nice value).

        Raises OSError when the decoder can't be run.
        """
        self.hits = Hits()
        self._priority = priority
        self._decoder = subprocess.Popen(
            [program, "encode", "-to=csv"],
            stdin=results,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        os.setpriority(os.PRIO_PROCESS, self._decoder.pid, priority)
        self._executor = ThreadPoolExecutor(1, "recording")
        self._collected = self._executor.submit(self._collect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.kill()
        self._decoder.wait()
        self._executor.shutdown()

    def finish(self) -> bool:
        """Read to the end; whether everything could be decoded."""
        self._collected.result()
        return self._decoder.wait() == 0

    def _collect(self) -> None:
        # On Linux a priority belongs to a thread, so this changes that of this one only.
        os.setpriority(os.PRIO_PROCESS, 0, self._priority)
        csv.field_size_limit(sys.maxsize)
        assert self._decoder.stdout is not None
        # If this fails, the pipe is closed; otherwise decoder and vegeta would both block.
        with self._decoder.stdout as decoded:
            collect(csv.reader(line.decode(errors="replace") for line in decoded), self.hits)


class Summary:
    """Lines of progress: counts since the start of an attack, rate and latencies since the last."""

    def __init__(self, hits: Hits, total_seconds: float) -> None:
        self._hits, self._total = hits, total_seconds
        self._count, self._failed, self._last = 0, 0, 0.0

    def line(self, seconds: float) -> str:
        """The line for a time since the start of the attack."""
        # `good` is written last, so the other columns are at least as long.
        good = self._hits.good[self._count :]
        took = self._hits.latency[self._count : self._count + len(good)]
        self._count += len(good)
        self._failed += len(good) - sum(good)
        text = f"{min(seconds, self._total):.0f} of {self._total:g} s: {self._count:,} answers"
        if took:
            rate = len(took) / max(seconds - self._last, 1e-3)
            p50, p99 = percentiles(np.asarray(took) / MILLISECOND, (50, 99))
            text += f", {rate:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
        self._last = seconds
        return f"{text}, {self._failed:,} errors"
