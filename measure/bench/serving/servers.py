"""Triton and the transformers as processes, started once for a whole run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config import ModelSettings
from infra.config import Triton as TritonSettings
from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from local.layout import ROOT
from local.ports import free_port
from local.triton.server import Triton
from measure.bench.serving.subjects import MAX_BATCH, RELEASE
from release import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from measure.bench.serving.subjects import Subject

__all__ = ["Server", "running"]

START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True)
class Server:
    """A subject's addresses and root processes, which Triton alone has none of."""

    url: str
    grpc: str
    pids: list[int]
    triton_pids: list[int]


@contextlib.contextmanager
def running(subjects: Sequence[Subject], folder: Path) -> Iterator[dict[str, Server]]:
    """All subjects by name, in front of one Triton: ready on entry, stopped on exit.

    Raises LocalError or RuntimeError with the end of a log if one doesn't start.
    """
    with contextlib.ExitStack() as stack:
        triton = stack.enter_context(Triton(_repository(folder), log=folder / "triton.log"))
        servers = {}
        for subject in subjects:
            url, pids = f"http://{triton.http}", list[int]()
            if subject.program:
                address = triton.grpc if subject.to_triton == "grpc-v2" else triton.http
                url, pid = stack.enter_context(_transformer(subject, address, folder))
                pids = [pid]
            servers[subject.name] = Server(url, triton.grpc, pids, [triton.process.pid])
        yield servers


def _repository(folder: Path) -> Path:
    """A model repository as in the bucket, with a batch size for the largest request."""
    settings = ModelSettings(triton=TritonSettings(max_batch_size=MAX_BATCH))
    release = files.read(RELEASE)
    artefact = Artefact(
        release, "", RELEASE.read_text(), RELEASE.parent, config_pbtxt(release, settings)
    )
    artefact.write(folder / "models")
    return folder / "models"


@contextlib.contextmanager
def _transformer(subject: Subject, address: str, folder: Path) -> Iterator[tuple[str, int]]:
    """A transformer's URL and process id."""
    port, log = free_port(), folder / f"{subject.name}.log"
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            subject.command(address, port),
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
