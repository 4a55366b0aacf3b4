"""Verification and load test through the real transformer to the real Triton."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from release.schema import Exchange, File, Handler, Release, digest
from tests.transformer.server import Transformer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.triton.server import Triton

HANDLER = """
import numpy as np

def setup(folder, parameters):
    global FACTOR
    FACTOR = parameters["factor"]

def preprocess(instances):
    return {
        "in_INT32": np.array([[each["count"]] for each in instances], "int32"),
        "in_FP16": np.array([[each["weight"]] for each in instances], "float16"),
    }

def postprocess(outputs, instances):
    counts, weights = outputs["out_INT32"][:, 0], outputs["out_FP16"][:, 0]
    return [{"id": each["id"], "count": count, "weights": [FACTOR * float(weight)]}
            for each, count, weight in zip(instances, counts, weights)]
"""
PROTOCOLS = pytest.mark.parametrize("protocol", ["v2", "grpc-v2"])


@contextmanager
def transformer(
    release: Release, triton: Triton, protocol: str, folder: Path, **env: str
) -> Iterator[str]:
    """The URL of the release's transformer."""
    path = folder / "transformers.json"
    path.write_bytes(release.to_json())
    address = triton.http if protocol == "v2" else triton.grpc
    arguments = [f"--predictor_protocol={protocol}", "--max_batch_size=4"]
    server = Transformer(address, folder, *arguments, model=release.name, release=path, env=env)
    with server:
        yield server.url


@pytest.fixture
def handled(releases: dict[str, Release]) -> Release:
    """`rows` with a handler."""
    instances = tuple({"id": f"{n}", "count": n, "weight": n / 4} for n in range(5))
    predictions = tuple(
        {"id": each["id"], "count": each["count"], "weights": [2.0 * float(each["weight"])]}
        for each in instances
    )
    files = {"handler.py": File(digest(HANDLER.encode()), len(HANDLER))}
    return replace(
        releases["rows"],
        handler=Handler(files, {"factor": 2}),
        exchanges=(Exchange(instances, predictions),),
    )


@pytest.fixture
def handler(tmp_path: Path) -> Path:
    """The folder of handler.py."""
    folder = tmp_path / "handler"
    folder.mkdir()
    (folder / "handler.py").write_text(HANDLER)
    return folder


@PROTOCOLS
@pytest.mark.parametrize("name", ["every", "whole", "rows", "picture"])
def test_any_release_is_verified_and_loaded(
    triton: Triton,
    releases: dict[str, Release],
    verify_job: dict[str, Any],
    load_job: dict[str, Any],
    run: Any,
    tmp_path: Path,
    name: str,
    protocol: str,
) -> None:
    given = releases[name]
    with transformer(given, triton, protocol, tmp_path) as url:
        status, text = run("verify", verify_job | {"model": name, "transformer_url": url}, given)
        assert status == 0, text
        load = load_job | {"model": name, "url": url, "target": "transformer"}
        status, text = run("load", load | {"duration_seconds": 1}, given)
        assert status == 0, text


@PROTOCOLS
def test_a_handler_is_verified_and_loaded(
    triton: Triton,
    handled: Release,
    handler: Path,
    verify_job: dict[str, Any],
    load_job: dict[str, Any],
    run: Any,
    tmp_path: Path,
    protocol: str,
) -> None:
    job = verify_job | {"model": "rows"}
    with transformer(handled, triton, protocol, tmp_path, HANDLER=str(handler)) as url:
        status, text = run("verify", job | {"transformer_url": url}, handled)
        assert status == 0, text
        assert "3 samples and 1 exchange answered" in text
        load = load_job | {"model": "rows", "url": url, "target": "transformer"}
        status, text = run("load", load | {"duration_seconds": 1}, handled)
        assert status == 0, text


def test_a_handler_with_other_parameters_is_told_apart(
    triton: Triton,
    handled: Release,
    handler: Path,
    verify_job: dict[str, Any],
    run: Any,
    tmp_path: Path,
) -> None:
    job = verify_job | {"model": "rows", "deadline_seconds": 5}
    env = {"HANDLER": str(handler), "HANDLER_PARAMETERS": '{"factor": 3}'}
    with transformer(handled, triton, "v2", tmp_path, **env) as url:
        status, text = run("verify", job | {"transformer_url": url}, handled)
        assert status == 1
        assert "request 0: predictions[1].weights[0] is 0.75, the release's 0.5" in text
        job |= {"transformer_url": url, "predictions": "any"}
        status, text = run("verify", job, handled)
        assert status == 0, text
