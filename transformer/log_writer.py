"""A logging handler that never waits for the reader of standard output."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import threading
import time
from dataclasses import dataclass

__all__ = ["MAX_LINES", "Repeats", "Writer"]

# Of a kind, this many records are written in a period; further ones are counted.
FIRST = 10
PERIOD_SECONDS = 10.0
# Kinds in a period; the records of all further kinds are one kind.
MAX_KINDS = 100
# What differs between records of a kind: numbers of instances, sizes, times.
NUMBER = re.compile(r"\d+")
KIND_CHARACTERS = 100
# Lines that wait to be written. Further ones are dropped.
MAX_LINES = 500
WAKE_SECONDS = 1.0
# For the last lines, when the process ends.
CLOSE_SECONDS = 1.0
STANDARD_OUTPUT = 1


@dataclass
class Count:
    """The records of a kind since `started`, and the last one that was not written."""

    started: float
    records: int = 0
    last: logging.LogRecord | None = None

    @property
    def repeated(self) -> int:
        """How many were not written."""
        return max(0, self.records - FIRST)


class Repeats:
    """Counts the records of a kind, beyond the first ones of each period."""

    def __init__(self) -> None:
        self.kinds: dict[str, Count] = {}

    def admit(self, record: logging.LogRecord, now: float) -> bool:
        """Whether to write this record, at a time in seconds."""
        message = NUMBER.sub("0", record.getMessage()[:KIND_CHARACTERS])
        kind = f"{record.name} {record.levelno} {message}"
        if kind not in self.kinds and len(self.kinds) >= MAX_KINDS:
            kind = ""
        count = self.kinds.setdefault(kind, Count(now))
        count.records += 1
        if count.records <= FIRST:
            return True
        # Its frames would keep the request's memory.
        record.exc_info = None
        count.last = record
        return False

    def end_periods(self, now: float) -> list[tuple[logging.LogRecord, int]]:
        """The last record of each kind whose period is over, and how many were not written."""
        over = [k for k, count in self.kinds.items() if count.started <= now - PERIOD_SECONDS]
        ended = [self.kinds.pop(kind) for kind in over]
        return [(count.last, count.repeated) for count in ended if count.last]


class Writer(logging.Handler):
    """Writes to standard output in a thread of its own.

    While nobody reads standard output, lines are dropped. How many were dropped is logged
    afterwards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.repeats = Repeats()
        self.lines: queue.Queue[str] = queue.Queue(MAX_LINES)
        self.dropped = 0
        self.closing = False
        # Not the handler's own lock, which logging.shutdown holds while it closes the handler.
        self.counting = threading.Lock()
        self.thread = threading.Thread(target=self._run, name="log", daemon=True)
        self.thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or count it."""
        with self.counting:
            if self.repeats.admit(record, time.monotonic()):
                self._queue(record)

    def close(self) -> None:
        """Write what is queued, if somebody reads it."""
        self._queue_repeats(float("inf"))
        self.closing = True
        with contextlib.suppress(queue.Full):
            self.lines.put_nowait("")
        self.thread.join(CLOSE_SECONDS)
        super().close()

    def _queue(self, record: logging.LogRecord) -> None:
        try:
            self.lines.put_nowait(self.format(record))
        except queue.Full:
            self.dropped += 1

    def _queue_repeats(self, now: float) -> None:
        with self.counting:
            for record, repeated in self.repeats.end_periods(now):
                self._queue(logging.makeLogRecord(record.__dict__ | {"repeated": repeated}))

    def _run(self) -> None:
        while True:
            with contextlib.suppress(queue.Empty):
                line = self.lines.get(timeout=WAKE_SECONDS)
                if line:
                    _write(f"{line}\n")
                if not self.lines.empty():
                    continue
            self._report_dropped()
            if self.closing:
                return
            self._queue_repeats(time.monotonic())

    def _report_dropped(self) -> None:
        with self.counting:
            dropped, self.dropped = self.dropped, 0
        if dropped:
            text = f"{dropped:,} lines of this log are missing: standard output was not read"
            record = logging.makeLogRecord({"msg": text, "levelname": "WARNING"})
            _write(f"{self.format(record)}\n")


def _write(text: str) -> None:
    data = text.encode()
    # Nobody is left to read it after an OSError.
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(STANDARD_OUTPUT, data) :]
