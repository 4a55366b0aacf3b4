"""Triton and the transformers as processes, started once and kept for a whole run."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infra.releases import Artefact
from infra.render import config_pbtxt
from infra.sections import ModelSettings
from infra.sections import Triton as TritonSettings
from model.signature import Release
from tests.triton import Triton, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.serving.subjects import Subject

__all__ = ["MAX_BATCH", "MODEL", "RELEASE", "ROOT", "Running", "running"]

ROOT = Path(__file__).resolve().parents[2]
MODEL = "digits"
RELEASE = ROOT / "build" / MODEL / "release.json"
# So that Triton takes the largest request at once, whoever sends it.
MAX_BATCH = 64
START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True)
class Running:
    """A subject's addresses and root processes; none for Triton alone."""

    url: str
    grpc: str
    pids: list[int]
    triton_pids: list[int]


@contextlib.contextmanager
def running(subjects: Sequence[Subject], folder: Path) -> Iterator[dict[str, Running]]:
    """All of them with one Triton behind, by name, ready on entry and gone on exit."""
    with contextlib.ExitStack() as stack:
        repository = _repository(folder / "models")
        # Triton's Python stub looks in the current folder first, where our `model` would be found.
        with contextlib.chdir(folder):
            triton = stack.enter_context(Triton(repository, log=folder / "triton.log"))
        behind = [triton.process.pid]
        found = {}
        for subject in subjects:
            url, pids = f"http://{triton.http}", list[int]()
            if subject.program:
                port = free_port()
                url = f"http://127.0.0.1:{port}"
                address = triton.grpc if subject.to_triton == "grpc-v2" else triton.http
                line = subject.line(address, port)
                pids = [stack.enter_context(_process(line, folder / f"{subject.name}.log", url))]
            found[subject.name] = Running(url, triton.grpc, pids, behind)
        yield found


def _repository(folder: Path) -> Path:
    """What the bucket would hold, with a batch that 64 images fit into."""
    settings = ModelSettings(triton=TritonSettings(max_batch_size=MAX_BATCH))
    text = RELEASE.read_text()
    release = Release.from_json(text.encode())
    artefact = Artefact(release, "", text, RELEASE.parent, config_pbtxt(release, settings))
    for name, source in artefact.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    for name, text in artefact.texts.items():
        (folder / name).write_text(text)
    return folder


@contextlib.contextmanager
def _process(line: Sequence[str], log: Path, url: str) -> Iterator[int]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            line,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    try:
        _wait(process, url, log)
        yield process.pid
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
