"""The servers as processes, started once for a model; all but the measured one are paused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config import ModelSettings
from infra.config import Triton as TritonSettings
from jobs.http_client import UnreachableError, request
from local.layout import ROOT
from local.ports import free_port
from local.processes import leashed
from local.triton.server import Triton
from measure.bench.serving.payloads import FORMS, Payload
from measure.bench.serving.subjects import MAX_BATCH
from measure.procfs import descendants
from measure.releases import artefact, build, write_repository
from measure.tune.knobs import in_format
from release import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jobs.samples import Target
    from measure.bench.serving.subjects import Subject

__all__ = ["Server", "awake", "running"]

# Ray Serve starts a cluster, at a low priority.
START_SECONDS = 300
STOP_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A subject's URL of requests, Triton's gRPC address, and root processes of both, if any."""

    url: str
    grpc: str
    pids: list[int]
    triton_pids: list[int]


@contextlib.contextmanager
def running(
    model: str, subjects: Sequence[Subject], folder: Path
) -> Iterator[tuple[Path, dict[str, Server]]]:
    """The folder of the model's release, and all subjects by name, ready; stopped on exit.

    Raises LocalError or RuntimeError with the end of a log if one doesn't start.
    """
    formats = dict.fromkeys(subject.format or "torchscript" for subject in subjects)
    releases = {format: build(model, format, folder / format) for format in formats}
    with contextlib.ExitStack() as stack:
        tritons = {
            format: stack.enter_context(_triton(releases[format], folder / format))
            for format in dict.fromkeys(each.format for each in subjects if each.format)
        }
        servers = {}
        for subject in subjects:
            release = releases[subject.format or "torchscript"]
            triton = tritons[subject.format] if subject.format else None
            servers[subject.name] = (
                stack.enter_context(_server(subject, release, triton, folder))
                if subject.command
                else _alone(model, tritons[subject.format or "torchscript"])
            )
        try:
            yield releases["torchscript"], servers
        finally:
            # A paused process would not stop.
            for server in servers.values():
                _signal(server, signal.SIGCONT)


@contextlib.contextmanager
def awake(server: Server) -> Iterator[None]:
    """Let a server run, and pause it afterwards, so that it takes no CPU from the others."""
    _signal(server, signal.SIGCONT)
    try:
        yield
    finally:
        _signal(server, signal.SIGSTOP)


def _signal(server: Server, number: signal.Signals) -> None:
    for root in (*server.pids, *server.triton_pids):
        for pid in descendants(root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def _triton(folder: Path, parent: Path) -> Iterator[Triton]:
    """Triton with a release, as in the bucket, with a batch size for the largest request."""
    release = files.read(folder / files.RELEASE_JSON)
    settings = ModelSettings(triton=TritonSettings(max_batch_size=MAX_BATCH))
    settings = in_format(settings, release.format, threads=1)
    write_repository(artefact(folder, settings), parent / "models")
    with Triton(parent / "models", log=parent / "triton.log") as triton:
        yield triton


def _alone(model: str, triton: Triton) -> Server:
    url = f"http://{triton.http}/v2/models/{model}/infer"
    return Server(url, triton.grpc, [], [triton.process.pid])


@contextlib.contextmanager
def _server(subject: Subject, folder: Path, triton: Triton | None, logs: Path) -> Iterator[Server]:
    """A subject's own server."""
    port, log, release = (
        free_port(),
        logs / f"{subject.name}.log",
        files.read(folder / files.RELEASE_JSON),
    )
    values = {"model": release.name, "folder": str(folder), "port": str(port)}
    if triton:
        values |= {"http": triton.http, "grpc": triton.grpc}
    with log.open("wb") as out:
        process = subprocess.Popen(
            leashed([word.format_map(values) for word in subject.command]),
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "RELEASE_FOLDER": str(folder)},
        )
    try:
        server = Server(
            f"http://127.0.0.1:{port}{subject.path.format_map(values)}",
            triton.grpc if triton else "",
            [process.pid],
            [triton.process.pid] if triton else [],
        )
        _wait(process, FORMS["images"](server.url, release, Payload(1))[0], log)
        yield server
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], target: Target, log: Path) -> None:
    """Wait for the first answer. Raises RuntimeError with the end of the log."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(UnreachableError):
            if (
                request(target.url, body=target.body, headers=target.headers, timeout=30).status
                == 200
            ):
                return
        time.sleep(0.1)
    raise RuntimeError(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server, and end what it leaves of its own processes."""
    family = descendants(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in family[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
