"""Fixtures of all tests here: the digits release, Triton that serves it, vegeta."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs import progress
from jobs.__main__ import main
from jobs.samples import read_release
from local.toolchain import tool
from local.triton.server import Triton

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from release.schema import Release

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "digits"
CONFIG = """
name: "{name}"
platform: "pytorch_libtorch"
max_batch_size: {batch}
input {{ name: "INPUT__0" data_type: TYPE_FP32 dims: [{dims}] }}
output {{ name: "OUTPUT__0" data_type: TYPE_FP32 dims: [{classes}] }}
instance_group {{ count: 1 kind: KIND_CPU }}
"""


@pytest.fixture(scope="session")
def release_file() -> Path:
    path = BUILD / "release.json"
    assert path.exists(), "build the release first: .venv-model/bin/python -m model build digits"
    return path


@pytest.fixture(scope="session")
def release(release_file: Path) -> Release:
    return read_release(release_file)


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory, release_file: Path) -> Iterator[Triton]:
    """Serves `digits`, and the same network as `other`, whose configuration claims other dims."""
    folder = tmp_path_factory.mktemp("triton")
    repository = folder / "repository"
    _model(repository, "digits", batch=4, dims="3, 32, 32", classes="10")
    _model(repository, "other", batch=0, dims="-1, 3, 64, 64", classes="-1, 10")
    with Triton(repository, log=folder / "triton.log") as server:
        yield server


def _model(repository: Path, name: str, **config: Any) -> None:
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    shutil.copy(BUILD / "model.pt", folder / "1" / "model.pt")
    (folder / "config.pbtxt").write_text(CONFIG.format(name=name, **config))


@pytest.fixture(scope="session")
def vegeta() -> Path:
    return tool("vegeta")


@pytest.fixture
def verify_job(release: Release) -> dict[str, Any]:
    """A job.json; a test adds an address."""
    return {
        "model": "digits",
        "service": "digits",
        "namespace": "models",
        "mode": "Standard",
        "transformer_url": None,
        "predictor_url": None,
        "predictor_protocol": "http",
        "deadline_seconds": 20,
        "release_digest": release.digest,
        "storage_uri": "gs://bucket/models/digits/new",
        "tolerance": 1e-3,
    }


@pytest.fixture
def load_job() -> dict[str, Any]:
    """A job.json; a test adds the address."""
    return {
        "model": "digits",
        "target": "predictor",
        "rate": 50,
        "duration_seconds": 3,
        "timeout_seconds": 10,
        "objectives": {"p99_ms": 2000, "success_ratio": 0.999, "rate_ratio": 0.9},
        "result": None,
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """A JSON file of a test's own."""

    def put(raw: Any, name: str = "job.json") -> Path:
        path = tmp_path / name
        path.write_text(raw if isinstance(raw, str) else json.dumps(raw))
        return path

    return put


@pytest.fixture
def run(
    write: Any,
    release_file: Path,
    vegeta: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str]]:
    """Runs a command outside of a cluster; returns its exit status and termination message."""
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(progress, "TERMINATION_LOG", log)
    monkeypatch.setenv("VEGETA", str(vegeta))

    def call(kind: str, job: dict[str, Any], release: Path = release_file) -> tuple[int, str]:
        status = main([kind, "--config", str(write(job)), "--release", str(release)])
        return status, log.read_text()

    return call
