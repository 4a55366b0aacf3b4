"""The rendered repository in a real Triton: it loads, says what the release says, and answers."""

from __future__ import annotations

import base64
import io
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http
from PIL import Image

from infra.config import ModelSettings, Promotion, Triton
from infra.releases import load
from local.triton.server import Triton as Server
from model.training import tensor
from tests.releases import TEST_ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from infra.manifests.artefact import Artefact


def repository(artefact: Artefact, folder: Path) -> Path:
    """What the bucket would hold under the artefact's prefix."""
    artefact.write(folder)
    return folder


def served(name: str, settings: ModelSettings) -> Artefact:
    return load({name: settings}, TEST_ROOT, Promotion()).stable[name]


@pytest.mark.parametrize("name", ["digits", "cifar10"])
@pytest.mark.parametrize(
    "triton",
    [
        Triton(warmup_batch_sizes=(1, 4, 16)),
        Triton(max_batch_size=0),
        Triton(
            preferred_batch_sizes=(4, 8),
            queue_delay_microseconds=200,
            instances=2,
            parameters={"INTRA_OP_THREAD_COUNT": 1},
        ),
    ],
    ids=["warmed", "unbatched", "batching"],
)
def test_triton_loads_it_and_answers_the_releases_samples(
    name: str, triton: Triton, tmp_path: Path
) -> None:
    artefact = served(name, ModelSettings(triton=triton))
    with Server(repository(artefact, tmp_path / "models"), log=tmp_path / "log") as server:
        metadata = json.load(urllib.request.urlopen(f"http://{server.http}/v2/models/{name}"))
        assert metadata["inputs"] == described(artefact.release.inputs)
        assert metadata["outputs"] == described(artefact.release.outputs)
        found, expected = answers(server, artefact)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def described(tensors: Any) -> list[dict[str, Any]]:
    return [{"name": t.name, "datatype": t.dtype, "shape": [-1, *t.dims]} for t in tensors]


def answers(server: Server, artefact: Artefact) -> tuple[Any, Any]:
    release = artefact.release
    pixels = np.stack(
        [
            np.asarray(Image.open(io.BytesIO(base64.b64decode(sample.image))).convert("RGB"))
            for sample in release.samples
        ]
    )
    batch = tensor(pixels, release.preprocessing).numpy()
    with tritonclient.http.InferenceServerClient(server.http) as client:
        wanted = tritonclient.http.InferInput("INPUT__0", batch.shape, "FP32")
        wanted.set_data_from_numpy(batch)
        found = client.infer(release.name, [wanted]).as_numpy("OUTPUT__0")
    return found, np.array([sample.outputs[0] for sample in release.samples])
