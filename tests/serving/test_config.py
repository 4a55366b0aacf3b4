"""The rendered repository in a real Triton: it loads, says what the release says, and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.config import ModelSettings, Promotion, Triton
from infra.releases import load
from jobs.samples import sample_inputs
from model.compare import compare
from release import tensors
from tests.releases import TEST_ROOT

if TYPE_CHECKING:
    from infra.manifests.artefact import Artefact
    from release.schema import Tensor
    from tests.serving.conftest import Server

WARMED = Triton(warmup_batch_sizes=(1, 4, 16))
UNBATCHED = Triton(max_batch_size=0)
BATCHING = Triton(
    preferred_batch_sizes=(4, 8),
    queue_delay_microseconds=200,
    instances=2,
    parameters={"INTRA_OP_THREAD_COUNT": 1},
)


def artefact(name: str, triton: Triton) -> Artefact:
    settings = {name: ModelSettings(triton=triton)}
    return load(settings, TEST_ROOT, Promotion()).stable[name]


@pytest.mark.parametrize("name", ["digits", "cifar10", "ratings", "topics", "boxes"])
@pytest.mark.parametrize(
    "triton", [WARMED, UNBATCHED, BATCHING], ids=["warmed", "unbatched", "batching"]
)
def test_triton_loads_it_and_answers_the_releases_samples(
    server: Server, name: str, triton: Triton
) -> None:
    made = artefact(name, triton)
    release = made.release
    with server.serving(made):
        metadata = server.client.get_model_metadata(name)
        assert metadata["inputs"] == [described(tensor) for tensor in release.inputs]
        assert metadata["outputs"] == [described(tensor) for tensor in release.outputs]
        for sample in release.samples:
            pairs = zip(release.inputs, sample_inputs(release, sample), strict=True)
            found = server.infer(name, {t.name: (t.dtype, values) for t, values in pairs})
            for tensor, stored in zip(release.outputs, sample.outputs, strict=True):
                wanted = tensors.values(stored, tensor.dtype)
                assert compare(wanted, found[tensor.name]) is None, tensor.name


def described(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.dtype, "shape": [-1, *tensor.dims]}


def test_classification_has_the_releases_labels(server: Server) -> None:
    made = artefact("digits", WARMED)
    (values,) = sample_inputs(made.release, made.release.samples[0])
    with server.serving(made):
        best = server.classify("digits", values)
    assert best[0].decode().split(":")[2] in made.release.labels
