"""Real Triton with the digits release, and transformers in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings
from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from local.triton.server import Triton
from release import files
from release.tensors import values
from tests.transformer.server import RELEASE, Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from release.schema import Release

# A busy machine may take long over the largest requests.
PATIENT = "--deadline_seconds=55"


@pytest.fixture(scope="session")
def release() -> Release:
    assert RELEASE.exists(), "build the release first: .venv-model/bin/python -m model build digits"
    return files.read(RELEASE)


@pytest.fixture(scope="session")
def samples(release: Release) -> list[dict[str, Any]]:
    """Pictures in base64, with the scores and labels that the eager network gives."""
    (output,) = release.outputs
    return [
        {
            "image": sample.image,
            "label": sample.label,
            "scores": values(sample.outputs[0], output.dtype)[0].tolist(),
        }
        for sample in release.samples
    ]


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[Triton]:
    """Serves what the program would put into the bucket."""
    folder = tmp_path_factory.mktemp("triton")
    config = config_pbtxt(release, ModelSettings())
    Artefact(release, release.digest, "", RELEASE.parent, config).write(folder / "repository")
    with Triton(folder / "repository", log=folder / "triton.log") as server:
        yield server


@pytest.fixture(scope="session")
def over_http(tmp_path_factory: pytest.TempPathFactory, triton: Triton) -> Iterator[Transformer]:
    with Transformer(triton.http, tmp_path_factory.mktemp("http"), PATIENT) as made:
        yield made


@pytest.fixture(scope="session")
def over_grpc(tmp_path_factory: pytest.TempPathFactory, triton: Triton) -> Iterator[Transformer]:
    folder: Path = tmp_path_factory.mktemp("grpc")
    with Transformer(triton.grpc, folder, "--predictor_protocol=grpc-v2", PATIENT) as made:
        yield made


@pytest.fixture(params=["over_http", "over_grpc"])
def transformer(request: pytest.FixtureRequest) -> Transformer:
    """Runs a test twice: over HTTP and over gRPC."""
    made: Transformer = request.getfixturevalue(request.param)
    return made
