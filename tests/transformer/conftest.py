"""Real Triton with the digits release, and transformers in front of it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings
from infra.manifests.model_config import LABELS, config_pbtxt, labels_txt
from local.triton.server import Triton
from release.schema import Release
from tests.transformer.server import RELEASE, Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def release() -> dict[str, Any]:
    assert RELEASE.exists(), "build the release first: .venv-model/bin/python -m model build digits"
    made: dict[str, Any] = json.loads(RELEASE.read_bytes())
    return made


@pytest.fixture(scope="session")
def samples(release: dict[str, Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = release["samples"]
    return made


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory, release: dict[str, Any]) -> Iterator[Triton]:
    """Serves what the program would put into the bucket."""
    folder = tmp_path_factory.mktemp("triton")
    model = folder / "repository" / "digits"
    (model / "1").mkdir(parents=True)
    shutil.copy(RELEASE.with_name("model.pt"), model / "1")
    shutil.copytree(RELEASE.with_name("warmup"), model / "warmup")
    given = Release.from_json(RELEASE.read_bytes())
    (model / LABELS).write_text(labels_txt(given))
    (model / "config.pbtxt").write_text(config_pbtxt(given, ModelSettings()))
    with Triton(model.parent, log=folder / "triton.log") as server:
        yield server


@pytest.fixture(scope="session")
def over_http(tmp_path_factory: pytest.TempPathFactory, triton: Triton) -> Iterator[Transformer]:
    with Transformer(triton.http, tmp_path_factory.mktemp("http")) as made:
        yield made


@pytest.fixture(scope="session")
def over_grpc(tmp_path_factory: pytest.TempPathFactory, triton: Triton) -> Iterator[Transformer]:
    folder: Path = tmp_path_factory.mktemp("grpc")
    with Transformer(triton.grpc, folder, "--predictor_protocol=grpc-v2") as made:
        yield made


@pytest.fixture(params=["over_http", "over_grpc"])
def transformer(request: pytest.FixtureRequest) -> Transformer:
    """Runs a test twice: over HTTP and over gRPC."""
    made: Transformer = request.getfixturevalue(request.param)
    return made
