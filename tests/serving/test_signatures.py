"""Any signature that the build accepts: Triton loads its release, and answers as the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import tritonclient.http
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.config import ModelSettings, Triton
from infra.manifests.artefact import Artefact
from infra.manifests.model_config import config_pbtxt
from jobs.compile.compile import compile_program
from local.triton.server import Triton as TritonServer
from model import build, examples
from model.compare import compare
from model.definition import Definition
from model.discovery import Found
from model.formats import eager
from model.reproducible import reproducible
from model.served import as_client, serve
from release.files import RELEASE_JSON
from tests.serving.conftest import Server
from tests.serving.networks import Input, Network, Output, networks

if TYPE_CHECKING:
    from pathlib import Path

    from release.schema import Format

MOST = 8


def artefact(definition: Definition, format: Format, folder: Path, most: int) -> Artefact:
    """What a stack uploads for a definition."""
    with reproducible():
        built = build.make(definition, Found("network", folder / "network.py"), format)
    out = build.write(built, folder)
    settings = ModelSettings(triton=Triton(max_batch_size=most, warmup_batch_sizes=(1,)))
    text = (out / RELEASE_JSON).read_text()
    config = config_pbtxt(built.release, settings)
    return Artefact(built.release, built.release.digest, text, out, config)


def check_answers(server: Server, made: Artefact, definition: Definition) -> None:
    """Compare Triton's answers with the network's, in batches of several sizes."""
    release, network = made.release, definition.network().eval()
    served = serve(eager(network), release)
    for batch in examples.read(definition, network).resized():
        if release.batching and len(batch[0]) > MOST:
            continue
        inputs = {
            tensor.name: as_client(array, tensor)
            for tensor, array in zip(release.inputs, batch, strict=True)
        }
        dtypes = {tensor.name: tensor.dtype for tensor in release.inputs}
        found = server.infer(
            release.name, {name: (dtypes[name], array) for name, array in inputs.items()}
        )
        wanted = served(inputs)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            assert compare(array, found[name]) is None, name


@pytest.mark.parametrize("format", ["torchscript", "onnx"])
@given(network=networks(), most=st.sampled_from((0, MOST)))
@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_triton_answers_as_the_network(
    server: Server, tmp_path: Path, format: Format, network: Network, most: int
) -> None:
    definition = network.definition()
    made = artefact(definition, format, tmp_path, most)
    with server.serving(made):
        check_answers(server, made, definition)


class Texts(torch.nn.Module):
    """Lengths and capitals of texts, and a number of each row beside them."""

    def forward(
        self, texts: list[str], add: torch.Tensor
    ) -> tuple[torch.Tensor, list[str], torch.Tensor]:
        lengths = torch.tensor([len(text) for text in texts])
        return lengths, [text.upper() for text in texts], lengths + add


def test_triton_answers_as_a_network_of_texts(server: Server, tmp_path: Path) -> None:
    batch = (["one", "", "three", "fourteen"], torch.arange(4))
    definition = Definition(network=Texts, examples=lambda: [batch])
    made = artefact(definition, "torchscript", tmp_path, MOST)
    assert [tensor.dtype for tensor in made.release.inputs] == ["BYTES", "INT64"]
    with server.serving(made):
        check_answers(server, made, definition)


def test_triton_answers_as_a_compiled_network(tmp_path: Path) -> None:
    network = Network(
        inputs=(Input("FP32", (2, -1)), Input("INT64", ()), Input("BOOL", (3,))),
        outputs=(Output("FP16", 0, "same"), Output("INT32", 0, "sum"), Output("FP64", 1, "wide")),
        batching=True,
    )
    definition = network.definition()
    made = artefact(definition, "aoti", tmp_path, MOST)
    repository = tmp_path / "models"
    made.write(repository)
    package = repository / made.name / "1" / "model.pt2"
    package.parent.mkdir(parents=True)
    compile_program(made.folder / "model.pt2", package, "cpu")
    with (
        TritonServer(repository, log=tmp_path / "log") as triton,
        tritonclient.http.InferenceServerClient(triton.http, network_timeout=120) as client,
    ):
        check_answers(Server(repository, client), made, definition)
