"""vegeta's recording of an attack, read while it grows.

vegeta writes to a file and waits for nobody, so how fast it is read can't disturb it but by the
CPU that reading takes; who reads does so with the lowest priority.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

from jobs.load.metrics import Hits, collect, percentiles

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Progression", "Recording"]

CHUNK = 1 << 20
LOWEST_PRIORITY = 19
MILLISECOND = 1e6


class Recording:
    """Every request so far, in `hits`; vegeta's own report would only give estimates."""

    def __init__(self, program: str, made: Path) -> None:
        """Raises OSError when the program can't be run."""
        self.hits = Hits()
        self._made = made
        self._file: BinaryIO | None = None
        self._encoder = subprocess.Popen(
            [program, "encode", "-to=csv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        os.setpriority(os.PRIO_PROCESS, self._encoder.pid, LOWEST_PRIORITY)
        self._reader = ThreadPoolExecutor(1, "recording")
        self._collected = self._reader.submit(self._collect)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._encoder.kill()
        self._encoder.wait()
        self._reader.shutdown()
        if self._file:
            self._file.close()

    def catch_up(self) -> None:
        """Read what vegeta has written since. A decoder that has ended is for `finish` to tell."""
        if self._file is None and self._made.exists():
            self._file = self._made.open("rb")
        assert self._encoder.stdin is not None
        with suppress(BrokenPipeError):
            while self._file and (chunk := self._file.read(CHUNK)):
                self._encoder.stdin.write(chunk)
                self._encoder.stdin.flush()

    def finish(self) -> bool:
        """Read to the end of a recording that grows no more; whether that was possible."""
        assert self._encoder.stdin is not None
        try:
            self.catch_up()
            self._encoder.stdin.close()
        except OSError:
            return False
        self._collected.result()
        return self._encoder.wait() == 0

    def _collect(self) -> None:
        # On Linux a priority is a thread's, so this is about this one alone.
        os.setpriority(os.PRIO_PROCESS, 0, LOWEST_PRIORITY)
        csv.field_size_limit(sys.maxsize)
        assert self._encoder.stdout is not None
        # Closed if it fails, or vegeta would wait for its reader and this program for vegeta.
        with self._encoder.stdout as encoded:
            collect(csv.reader(line.decode(errors="replace") for line in encoded), self.hits)


class Progression:
    """The progress of an attack in words: counts are of all of it, the rest since the last ones."""

    def __init__(self, hits: Hits, total_seconds: float) -> None:
        self._hits, self._total = hits, total_seconds
        self._count, self._failed, self._at = 0, 0, 0.0

    def words(self, seconds: float) -> str:
        """After so many seconds of the attack."""
        # The last thing that is added of a request, so that all else of it is there too.
        good = self._hits.good[self._count :]
        took = self._hits.latency[self._count : self._count + len(good)]
        self._count += len(good)
        self._failed += len(good) - sum(good)
        text = f"{min(seconds, self._total):.0f} of {self._total:g} s: {self._count:,} answers"
        if took:
            rate = len(took) / max(seconds - self._at, 1e-3)
            p50, p99 = percentiles(np.asarray(took) / MILLISECOND, (50, 99))
            text += f", {rate:.0f}/s, p50 {p50:.2f} ms, p99 {p99:.2f} ms"
        self._at = seconds
        return f"{text}, {self._failed:,} errors"
