"""Fixtures of all tests here: releases, Triton that serves them, load generators."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jobs import progress
from jobs.__main__ import main
from local.toolchain import tool
from local.triton.server import Triton
from release.schema import Release, Tensor
from tests.jobs import models
from tests.jobs.models import every, picture, rows, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def releases() -> dict[str, Release]:
    """By the names of their models."""
    return {made.name: made for made in map(read, (every, whole, rows, picture))}


def read(make: Callable[[], Release]) -> Release:
    """A release as its file has it."""
    return Release.from_json(make().to_json())


@pytest.fixture(scope="session")
def release(releases: dict[str, Release]) -> Release:
    """The image model."""
    return releases["picture"]


@pytest.fixture(scope="session")
def triton(
    tmp_path_factory: pytest.TempPathFactory, releases: dict[str, Release]
) -> Iterator[Triton]:
    """Serves all models, and `other`, the image model whose configuration has other dims."""
    folder = tmp_path_factory.mktemp("triton")
    for made in releases.values():
        models.write(folder / "repository", made)
    inputs = (Tensor("INPUT__0", "FP32", (3, 16, 16)),)
    changed = replace(releases["picture"], image=None, samples=(), inputs=inputs)
    models.write(folder / "repository", changed, "other")
    with Triton(folder / "repository", log=folder / "triton.log") as server:
        yield server


@pytest.fixture(scope="session")
def vegeta() -> Path:
    return tool("vegeta")


@pytest.fixture(scope="session")
def ghz() -> Path:
    return tool("ghz")


@pytest.fixture
def verify_job() -> dict[str, Any]:
    """A job.json for the image model; a test adds an address."""
    return {
        "model": "picture",
        "service": "digits",
        "namespace": "models",
        "mode": "Standard",
        "transformer_url": None,
        "predictor_url": None,
        "predictor_protocol": "http",
        "deadline_seconds": 20,
        "storage_uri": "gs://bucket/models/digits/new",
        "tolerance": 1e-3,
    }


@pytest.fixture
def load_job() -> dict[str, Any]:
    """A job.json; a test adds the address. A busy machine doesn't keep the rate."""
    return {
        "model": "picture",
        "target": "predictor",
        "predictor_protocol": "http",
        "rate": 50,
        "duration_seconds": 3,
        "timeout_seconds": 10,
        "objectives": {"p99_ms": 2000, "success_ratio": 0.999, "rate_ratio": 0.01},
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
def release_file(release: Release, tmp_path: Path) -> Path:
    """The image model's release.json."""
    path = tmp_path / "release.json"
    path.write_bytes(release.to_json())
    return path


@pytest.fixture
def run(
    write: Any,
    release: Release,
    vegeta: Path,
    ghz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str]]:
    """Runs a command outside of a cluster; returns its exit status and termination message."""
    log = tmp_path / "termination-log"
    log.touch()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(progress, "TERMINATION_LOG", log)
    monkeypatch.setenv("VEGETA", str(vegeta))
    monkeypatch.setenv("GHZ", str(ghz))

    def call(kind: str, job: dict[str, Any], given: Release = release) -> tuple[int, str]:
        path = tmp_path / "release.json"
        path.write_bytes(given.to_json())
        if kind == "verify":
            job = {"release_digest": given.digest, **job}
        status = main([kind, "--config", str(write(job)), "--release", str(path)])
        return status, log.read_text()

    return call
