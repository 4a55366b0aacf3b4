"""vegeta, the load generator: its command line, an attack, and the requests that it recorded.

The load test, the tuner and the benchmark all send their load with this module. vegeta writes its
results to a file, so reading them while the attack runs costs it nothing but CPU; the reader
therefore runs at the lowest priority.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

from jobs.load.metrics import MILLISECOND, Hits, collect, percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jobs.samples import Target

__all__ = ["Attack", "LoadError", "Recording", "missing", "run_attack", "run_program"]

# vegeta opens connections before an attack and waits for answers after it.
MARGIN_SECONDS = 60.0
REPORT_SECONDS = 3.0
# Read often and little: a large read would take CPU from vegeta and delay its requests.
POLL_SECONDS = 0.1
CHUNK_BYTES = 1 << 20
LOWEST_PRIORITY = 19


class LoadError(Exception):
    """The load could not be sent, or its result not stored; the message says why."""


@dataclass(frozen=True)
class Attack:
    """A load: `rate` requests a second (an open loop), or `clients` that each send their next
    request when they have an answer (a closed loop).

    Without `bodies` vegeta records neither the bodies of answers nor their sizes.
    """

    seconds: float
    rate: int | None = None
    clients: int | None = None
    timeout_seconds: float = 10.0
    bodies: bool = True

    def arguments(self, targets: Path, recording: Path) -> list[str]:
        """Arguments of the vegeta program."""
        pace = [f"-rate={self.rate or 0}/1s"]
        if self.clients:
            pace += [f"-workers={self.clients}", f"-max-workers={self.clients}"]
        return [
            *("attack", "-format=json", f"-targets={targets}", f"-output={recording}", *pace),
            f"-duration={_milliseconds(self.seconds)}",
            f"-timeout={_milliseconds(self.timeout_seconds)}",
            # A redirect is an error here.
            *("-redirects=-1", *(() if self.bodies else ("-max-body=0",))),
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
    receives a line of progress every few seconds. Raises LoadError when vegeta can't be run, fails,
    or sends nothing.
    """
    program = program or os.environ.get("VEGETA") or "vegeta"
    given, recorded = folder / "targets.json", folder / "results.bin"
    given.write_text("".join(f"{target.to_json()}\n" for target in targets))
    command = [program, *attack.arguments(given, recorded)]
    try:
        recording = Recording(program, recorded, LOWEST_PRIORITY if report else 0)
    except OSError as error:
        raise missing(program, "VEGETA", error) from error
    with recording:
        poll = _progress(recording, attack, report) if report else None
        run_program(command, "VEGETA", attack, folder / "output.txt", poll)
        if not recording.finish() and recording.hits.at:
            raise LoadError("vegeta can't read its own results")
    if not recording.hits.at:
        raise LoadError(f"vegeta sent no request to {targets[0].url}")
    return recording.hits


def run_program(
    command: Sequence[str],
    variable: str,
    attack: Attack,
    output: Path,
    poll: Callable[[float], None] | None = None,
) -> None:
    """Run a load generator to its end, its output in a file; `poll` is called with the seconds.

    `variable` may have its path. Raises LoadError when it can't be run, fails, or doesn't end.
    """
    name = Path(command[0]).name
    limit = attack.seconds + attack.timeout_seconds + MARGIN_SECONDS
    with output.open("wb") as out:
        try:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        except OSError as error:
            raise missing(command[0], variable, error) from error
    started = time.monotonic()
    try:
        while (status := _wait(process)) is None:
            seconds = time.monotonic() - started
            if poll:
                poll(seconds)
            if seconds > limit:
                raise LoadError(f"{name} did not end within {limit:g} s")
    finally:
        process.kill()
        process.wait()
    if status:
        text = output.read_text(errors="replace").strip()
        raise LoadError(f"{name} ended with exit status {status}: {text[-1000:]}")


def missing(program: str, variable: str, error: OSError) -> LoadError:
    """The error for a load generator that can't be run."""
    return LoadError(
        f"the load generator {program} can't be run: {error.strerror}; install it on PATH, or set "
        f"the environment variable {variable} to its path"
    )


def _progress(
    recording: Recording, attack: Attack, report: Callable[[str], None]
) -> Callable[[float], None]:
    """Reads the recording, and reports it every few seconds."""
    summary, reported = Summary(recording.hits, attack.seconds), 0.0

    def poll(seconds: float) -> None:
        nonlocal reported
        recording.read_new()
        if seconds - reported >= REPORT_SECONDS:
            report(summary.line(seconds))
            reported = seconds

    return poll


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


class Recording:
    """Reads vegeta's results file, also while it grows; `hits` are the requests read so far.

    `vegeta encode` decodes the file; vegeta's own report would only give estimates of percentiles.
    """

    def __init__(self, program: str, path: Path, priority: int = 0) -> None:
        """Start the decoder at a priority (nice value). Raises OSError when it can't be run."""
        self.hits = Hits()
        self._path, self._priority = path, priority
        self._file: BinaryIO | None = None
        self._decoder = subprocess.Popen(
            [program, "encode", "-to=csv"],
            stdin=subprocess.PIPE,
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
        if self._file:
            self._file.close()

    def read_new(self) -> None:
        """Read what vegeta has written since the last call; `finish` reports a failed decoder."""
        if self._file is None and self._path.exists():
            self._file = self._path.open("rb")
        assert self._decoder.stdin is not None
        with suppress(BrokenPipeError):
            while self._file and (chunk := self._file.read(CHUNK_BYTES)):
                self._decoder.stdin.write(chunk)
                self._decoder.stdin.flush()

    def finish(self) -> bool:
        """Read the rest of a complete file; whether all of it could be decoded."""
        assert self._decoder.stdin is not None
        try:
            self.read_new()
            self._decoder.stdin.close()
        except OSError:
            return False
        self._collected.result()
        return self._decoder.wait() == 0

    def _collect(self) -> None:
        # On Linux a priority belongs to a thread, so this lowers that of this one only.
        os.setpriority(os.PRIO_PROCESS, 0, self._priority)
        csv.field_size_limit(sys.maxsize)
        assert self._decoder.stdout is not None
        # If this fails, the pipe is closed; otherwise the decoder and `read_new` would both block.
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
