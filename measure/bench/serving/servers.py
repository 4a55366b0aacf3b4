"""Triton and the transformers as processes, started once and kept for a whole run."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from infra.config import ModelSettings
from infra.config import Triton as TritonSettings
from infra.manifests.model_config import config_pbtxt
from infra.releases import Artefact
from local.ports import free_port
from release.schema import Release
from tests.triton import Triton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from measure.bench.serving.subjects import Subject

__all__ = ["MAX_BATCH", "MODEL", "RELEASE", "ROOT", "Running", "running"]

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]
MODEL = "digits"
RELEASE = ROOT / "build" / MODEL / "release.json"
# So that Triton takes the largest request at once, whoever sends it.
MAX_BATCH = 64
START_SECONDS = 60
STOP_SECONDS = 15
STARTS = 4
SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Running:
    """A subject's addresses and root processes; none for Triton alone."""

    url: str
    grpc: str
    pids: list[int]
    triton_pids: list[int]


@contextlib.contextmanager
def running(subjects: Sequence[Subject], folder: Path) -> Iterator[dict[str, Running]]:
    """All of them with one Triton behind, by name, ready on entry and gone on exit.

    Raises RuntimeError with the end of its log where one doesn't start.
    """
    repository = _repository(folder / "models")
    with contextlib.ExitStack() as stack:
        triton = _start(stack, lambda: _triton(repository, folder))
        found = {}
        for subject in subjects:
            url, pids = f"http://{triton.http}", list[int]()
            if subject.program:
                address = triton.grpc if subject.to_triton == "grpc-v2" else triton.http
                start = functools.partial(_transformer, subject, address, folder)
                url, pid = _start(stack, start)
                pids = [pid]
            found[subject.name] = Running(url, triton.grpc, pids, [triton.process.pid])
        yield found


def _start(stack: contextlib.ExitStack, make: Callable[[], AbstractContextManager[T]]) -> T:
    """Anew, with other ports, where somebody took one between its choice and its use."""
    for _ in range(STARTS - 1):
        with contextlib.suppress(RuntimeError):
            return stack.enter_context(make())
    return stack.enter_context(make())


@contextlib.contextmanager
def _triton(repository: Path, folder: Path) -> Iterator[Triton]:
    # Triton's Python stub looks in the current folder first, where our `model` would be found.
    with contextlib.chdir(folder):
        server = Triton(repository, log=folder / "triton.log")
        server.__enter__()
    try:
        # Ready is HTTP's word alone; where another port is taken, Triton only now begins to end.
        time.sleep(SETTLE_SECONDS)
        if not (_listens(server.grpc) and _listens(server.metrics)):
            raise RuntimeError(f"tritonserver ended:\n{server.tail()}")
        yield server
    finally:
        server.stop()


def _repository(folder: Path) -> Path:
    """What the bucket would hold, with a batch that 64 images fit into."""
    settings = ModelSettings(triton=TritonSettings(max_batch_size=MAX_BATCH))
    text = RELEASE.read_text()
    release = Release.from_json(text.encode())
    artefact = Artefact(release, "", text, RELEASE.parent, config_pbtxt(release, settings))
    artefact.write(folder)
    return folder


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _transformer(subject: Subject, address: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Its URL and process id."""
    port, log = free_port(), folder / f"{subject.name}.log"
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            subject.line(address, port),
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    try:
        _wait(process, url, log)
        yield url, process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/v2/health/live", timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")
