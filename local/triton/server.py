"""A Triton server on this machine, for tests, the tuner and the benchmark.

with Triton(repository, log=folder / "triton.log") as triton:
    ... triton.http, triton.grpc
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from local.errors import LocalError
from local.ports import free_port
from local.processes import leashed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

__all__ = ["NOTE", "Triton"]

NOTE = "Triton 2.51, with Python programs in place of its backends: with those, ratios may differ"

LAUNCH = Path(__file__).with_name("launch.py")
START_SECONDS = 120
STOP_SECONDS = 15
# Another process may take a port between its choice and its use.
STARTS = 4
PORT_TAKEN = "already in use"


class Triton:
    """tritonserver with the arguments of KServe's runtime, ours and `arguments`, on a repository.

    It is ready on entry and stopped on exit, or when this process ends. `http`, `grpc` and
    `metrics` are addresses as `127.0.0.1:PORT`. `cores` limits it to so many CPUs of this process.
    With `ready=False` it is only started. Raises LocalError, with the end of `log`, if it doesn't
    start.
    """

    process: subprocess.Popen[bytes]
    scratch: tempfile.TemporaryDirectory[str]

    def __init__(
        self,
        repository: Path,
        *arguments: str,
        log: Path,
        env: Mapping[str, str] | None = None,
        cores: int | None = None,
        ready: bool = True,
    ) -> None:
        self.repository, self.arguments, self.log = repository, arguments, log
        self.env, self.cores, self.ready = env or {}, cores, ready

    def __enter__(self) -> Self:
        self.scratch = tempfile.TemporaryDirectory(prefix="triton-", ignore_cleanup_errors=True)
        for attempt in range(STARTS):
            self._start()
            if not self.ready or self._is_ready():
                break
            self.stop()
            if PORT_TAKEN not in self.log.read_text(errors="replace") or attempt + 1 == STARTS:
                raise LocalError(f"tritonserver did not start:\n{self.tail()}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.scratch.cleanup()

    def tail(self, characters: int = 4000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:]

    def stop(self) -> None:
        """Stop the server and its backend's processes."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def _start(self) -> None:
        http, grpc, metrics = (free_port() for _ in range(3))
        self.http, self.grpc, self.metrics = (f"127.0.0.1:{each}" for each in (http, grpc, metrics))
        command = [
            *(sys.executable, str(LAUNCH), "tritonserver", f"--model-store={self.repository}"),
            *(f"--grpc-port={grpc}", f"--http-port={http}", f"--metrics-port={metrics}"),
            *("--grpc-address=127.0.0.1", "--http-address=127.0.0.1"),
            *("--allow-grpc=true", "--allow-http=true", "--disable-auto-complete-config"),
            *self.arguments,
        ]
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                leashed(command, signal.SIGTERM),
                stdout=out,
                stderr=subprocess.STDOUT,
                # As in the pod: one thread unless the caller says otherwise.
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "TMPDIR": self.scratch.name,
                    **self.env,
                },
                # Ctrl-C reaches only this program; `stop` ends the whole group.
                start_new_session=True,
            )
        if self.cores:
            allowed = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(self.process.pid, allowed[-self.cores :])

    def _is_ready(self) -> bool:
        """Wait for the endpoints that start last: readiness over HTTP, then the metrics."""
        end = time.monotonic() + START_SECONDS
        urls = [f"http://{self.http}/v2/health/ready", f"http://{self.metrics}/metrics"]
        while urls and self.process.poll() is None and time.monotonic() < end:
            try:
                urllib.request.urlopen(urls[0], timeout=1).close()
                urls.pop(0)
            except OSError:
                time.sleep(0.05)
        return not urls
