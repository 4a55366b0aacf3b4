"""The tutorials' releases behind the transformer: exchanges and samples, on the real Triton."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings
from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from local.triton.server import Triton
from release import files
from release.tensors import plain, values
from tests.transformer.server import ROOT, Transformer, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from release.schema import Release

BUILD = ROOT / "build" / "test" / "build"
NAMES = ("ratings", "topics", "boxes")
TOLERANCE = 1e-3


def read(name: str) -> Release:
    return files.read(BUILD / name / files.RELEASE_JSON)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    folder = tmp_path_factory.mktemp("releases")
    for name in NAMES:
        release = read(name)
        config = config_pbtxt(release, ModelSettings())
        Artefact(release, release.digest, "", BUILD / name, config).write(folder / "repository")
    with Triton(folder / "repository", log=folder / "triton.log") as server:
        yield server


@pytest.fixture(scope="module", params=["v2", "grpc-v2"])
def servers(
    request: pytest.FixtureRequest, repository: Triton, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Transformer]]:
    address = repository.http if request.param == "v2" else repository.grpc
    with contextlib.ExitStack() as stack:
        made = {}
        for name in NAMES:
            env = {"HANDLER": str(BUILD / name / "handler")} if read(name).handler else {}
            made[name] = stack.enter_context(
                Transformer(
                    address,
                    Path(tmp_path_factory.mktemp(name)),
                    f"--predictor_protocol={request.param}",
                    "--deadline_seconds=55",
                    model=name,
                    release=BUILD / name / files.RELEASE_JSON,
                    env=env,
                )
            )
        for name, each in made.items():
            path = f"/v2/models/{name}/ready"
            eventually(lambda each=each, path=path: each.ask(path)[0] == 200)
        yield made


def same(found: Any, expected: Any) -> bool:
    """Whether two values of JSON differ by rounding only."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(
            same(found[key], each) for key, each in expected.items()
        )
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE))
    return bool(found == expected)


@pytest.mark.parametrize("name", ["topics", "boxes"])
def test_exchanges_get_their_predictions(servers: dict[str, Transformer], name: str) -> None:
    exchanges = read(name).exchanges
    assert exchanges
    for exchange in exchanges:
        status, answer = servers[name].predict(
            json.dumps({"instances": exchange.instances}).encode()
        )
        assert status == 200
        assert same(answer["predictions"], list(exchange.predictions))


@pytest.mark.parametrize("name", ["ratings", "topics"])
def test_samples_get_the_eager_networks_answers(servers: dict[str, Transformer], name: str) -> None:
    release = read(name)
    for sample in release.samples:
        inputs = [
            {
                "name": tensor.name,
                "datatype": tensor.dtype,
                "shape": each.shape,
                "data": plain(values(each, tensor.dtype)),
            }
            for tensor, each in zip(release.inputs, sample.inputs, strict=True)
        ]
        status, answer = servers[name].infer(json.dumps({"inputs": inputs}).encode())
        assert status == 200
        for found, tensor, each in zip(
            answer["outputs"], release.outputs, sample.outputs, strict=True
        ):
            expected = values(each, tensor.dtype)
            assert (found["name"], found["shape"]) == (tensor.name, list(expected.shape))
            assert same(found["data"], plain(expected.reshape(-1)))


def test_named_tensors_get_named_tensors(servers: dict[str, Transformer]) -> None:
    release = read("ratings")
    samples = release.samples[:3]
    instances = [
        {
            tensor.name: plain(values(each, tensor.dtype)[0])
            for tensor, each in zip(release.inputs, sample.inputs, strict=True)
        }
        for sample in samples
    ]
    status, answer = servers["ratings"].predict(json.dumps({"instances": instances}).encode())
    assert status == 200
    expected = [
        {
            tensor.name: plain(values(each, tensor.dtype)[0])
            for tensor, each in zip(release.outputs, sample.outputs, strict=True)
        }
        for sample in samples
    ]
    assert same(answer["predictions"], expected)
