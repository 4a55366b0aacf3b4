"""The transformer as a process, and requests to it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

__all__ = ["PATIENCE_SECONDS", "RELEASE", "ROOT", "Transformer", "eventually", "instances"]

ROOT = Path(__file__).resolve().parents[2]
RELEASE = ROOT / "build" / "digits" / "release.json"
START_SECONDS = 30
# Time that a busy machine may take.
PATIENCE_SECONDS = 30


def instances(images: list[str], key: str = "image_bytes") -> bytes:
    """A V1 body."""
    return json.dumps({"instances": [{key: {"b64": image}} for image in images]}).encode()


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


class Transformer:
    """`python -m transformer`, listening on entry and gone on exit."""

    python = Path(sys.executable)
    folder = ROOT

    def __init__(
        self,
        predictor: str,
        folder: Path,
        *arguments: str,
        model: str = "digits",
        release: Path = RELEASE,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.model, self.env = model, env or {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"transformer-{self.port}.log"
        given = {"model_name": model, "predictor_host": predictor, "release": release}
        self.line = [
            *(f"--{name}={value}" for name, value in given.items()),
            f"--http_port={self.port}",
            "--drain_seconds=0",
            *arguments,
        ]

    def __enter__(self) -> Self:
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [self.python, "-m", "transformer", *self.line],
                cwd=self.folder,
                env=os.environ | self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.ask("/v2/health/live")
                return self
            except OSError:
                time.sleep(0.02)
        self.__exit__()
        raise RuntimeError(f"the transformer didn't start:\n{self.log.read_text()}")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run_to_its_end(self) -> None:
        """Start it, and wait until it ends by itself."""
        try:
            # It may end before it is seen to be alive.
            self.__enter__()
        except RuntimeError:
            return
        try:
            self.process.wait(PATIENCE_SECONDS)
        finally:
            self.__exit__()

    def ask(
        self, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON (or text) of an answer. A body is posted, an iterator in chunks."""
        request = urllib.request.Request(self.url + path, body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        return status, json.loads(text) if text.startswith("{") else text

    def predict(self, body: Any) -> tuple[int, Any]:
        """Status and JSON of a V1 predict request."""
        return self.ask(f"/v1/models/{self.model}:predict", body)

    def infer(self, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of a V2 infer request."""
        return self.ask(f"/v2/models/{self.model}/infer", body, headers)

    def workers(self) -> list[int]:
        """Its child processes: none with one worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def peak_mib(self) -> float:
        """The sum of the peak memory of its processes."""
        found = [_peak_kib(pid) for pid in (self.process.pid, *self.workers())]
        return sum(found) / 1024

    def sockets(self) -> int:
        """The sockets that it has open."""
        found = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found += str(descriptor.readlink()).startswith("socket:")
        return found

    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(found.split()[1])
