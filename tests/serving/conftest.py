"""One Triton for all tests here, which load their models into it and remove them."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import tritonclient.http
from tritonclient.utils import InferenceServerException

from local.triton.server import Triton

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from infra.manifests.artefact import Artefact


class Server:
    """A Triton that loads models on demand."""

    def __init__(self, repository: Path, client: Any) -> None:
        self.repository, self.client = repository, client

    @contextlib.contextmanager
    def serving(self, artefact: Artefact) -> Iterator[None]:
        """Serve a model. Raises InferenceServerException if Triton can't load it."""
        artefact.write(self.repository)
        with self.loaded(artefact.name):
            yield

    @contextlib.contextmanager
    def loaded(self, name: str) -> Iterator[None]:
        """Load what is in the repository. Raises InferenceServerException if that fails."""
        try:
            self.client.load_model(name)
            yield
        finally:
            with contextlib.suppress(InferenceServerException):
                self.client.unload_model(name)
            shutil.rmtree(self.repository / name, ignore_errors=True)

    def infer(
        self, name: str, inputs: Mapping[str, tuple[str, NDArray[Any]]]
    ) -> dict[str, NDArray[Any]]:
        """The outputs for inputs, each with V2's name of its type."""
        wanted = []
        for key, (dtype, array) in inputs.items():
            wanted.append(tritonclient.http.InferInput(key, list(array.shape), dtype))
            wanted[-1].set_data_from_numpy(array)
        result = self.client.infer(name, wanted)
        names = [output["name"] for output in result.get_response()["outputs"]]
        return {key: result.as_numpy(key) for key in names}

    def classify(self, name: str, values: NDArray[Any]) -> list[bytes]:
        """The best class of the first output, as VALUE:INDEX:LABEL."""
        wanted = tritonclient.http.InferInput("INPUT__0", list(values.shape), "FP32")
        wanted.set_data_from_numpy(values)
        output = tritonclient.http.InferRequestedOutput("OUTPUT__0", class_count=1)
        found: Any = self.client.infer(name, [wanted], outputs=[output]).as_numpy("OUTPUT__0")
        return list(found.ravel())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("triton")
    repository = folder / "models"
    repository.mkdir()
    with (
        Triton(repository, "--model-control-mode=explicit", log=folder / "log") as triton,
        tritonclient.http.InferenceServerClient(triton.http, network_timeout=120) as client,
    ):
        yield Server(repository, client)
