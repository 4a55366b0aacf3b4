"""A real Triton for tests: `with Triton(repository) as triton: ... triton.http, triton.grpc`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from local.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Triton", "free_port"]

LAUNCH = Path(__file__).resolve().parents[1] / "local" / "triton" / "launch.py"
START_SECONDS = 120
STOP_SECONDS = 10


class Triton:
    """tritonserver on a model repository, ready on entry and gone on exit.

    `http` and `grpc` are addresses as `127.0.0.1:port`; `log` is the file it writes to. Arguments
    are added to those of KServe's runtime. With `ready=False` it is only started, for tests of
    repositories that don't load; `wait_exit` then gives the exit status.
    """

    def __init__(self, repository: Path, *arguments: str, log: Path, ready: bool = True) -> None:
        self.repository = repository
        self.arguments = arguments
        self.log = log
        self.ready = ready
        self._ports = [free_port() for _ in range(3)]
        self.http, self.grpc, self.metrics = (f"127.0.0.1:{port}" for port in self._ports)

    def __enter__(self) -> Self:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(LAUNCH), *self._line()],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                # A group of its own, so that its backend's processes can be ended with it.
                start_new_session=True,
            )
        if self.ready:
            try:
                self._wait_ready()
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def _line(self) -> list[str]:
        http, grpc, metrics = self._ports
        return [
            "tritonserver",
            f"--model-store={self.repository}",
            f"--grpc-port={grpc}",
            f"--http-port={http}",
            "--allow-grpc=true",
            "--allow-http=true",
            f"--metrics-port={metrics}",
            *self.arguments,
        ]

    def _wait_ready(self) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"tritonserver ended:\n{self.tail()}")
            try:
                with urllib.request.urlopen(f"http://{self.http}/v2/health/ready", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"tritonserver not ready after {START_SECONDS} s:\n{self.tail()}")

    def tail(self, characters: int = 4000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-characters:]

    def wait_exit(self, seconds: float = START_SECONDS) -> int:
        """The exit status of a server that gives up by itself."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """End the server, and after a while everything in its process group."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
