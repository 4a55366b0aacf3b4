"""The endpoint: Triton over HTTP or gRPC, and the transformer in front of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from jobs.http_client import Response, UnreachableError, request
from jobs.protocols import infer_outputs, infer_request, predict_request
from release.schema import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from numpy.typing import NDArray

    T = TypeVar("T")

__all__ = [
    "GrpcPredictor",
    "HttpPredictor",
    "Metadata",
    "NotReadyError",
    "Predictor",
    "Transformer",
    "WrongAnswerError",
]

# Statuses that don't change by waiting: refused requests, and a handler or network that fails.
# Triton also answers 400 for a model that isn't ready, but readiness is checked before.
FINAL = (400, 413, 422, 500)
# gRPC statuses that pass by themselves while pods start; any other one is an answer.
TRANSIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "NOT_FOUND")


class NotReadyError(Exception):
    """The endpoint does not serve yet; the message has the request and the response."""


class WrongAnswerError(Exception):
    """The endpoint serves something else than the release; the message has both."""


@dataclass(frozen=True)
class Metadata:
    """A model's inputs and outputs as the server describes them, with the batch dim if any."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Predictor(Protocol):
    """Triton. Methods raise NotReadyError or WrongAnswerError within `timeout` seconds."""

    def check_ready(self, timeout: float) -> None:
        """Check that the server and the model are ready."""

    def metadata(self, timeout: float) -> Metadata:
        """Return the model's inputs and outputs."""

    def infer(
        self, inputs: Sequence[Tensor], values: Sequence[NDArray[Any]], timeout: float
    ) -> dict[str, NDArray[Any]]:
        """Return outputs by name, texts as bytes."""

    def close(self) -> None:
        """End its connections."""


class HttpPredictor:
    """Triton over HTTP with binary tensors."""

    def __init__(self, url: str, model: str) -> None:
        self.url, self.model = url, f"{url}/v2/models/{model}"

    def check_ready(self, timeout: float) -> None:
        for url in (f"{self.url}/v2/health/ready", f"{self.model}/ready"):
            _request(url, timeout)

    def metadata(self, timeout: float) -> Metadata:
        response = _request(self.model, timeout)
        try:
            raw = response.json()
            return Metadata(_json_tensors(raw["inputs"]), _json_tensors(raw["outputs"]))
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError(f"the model's metadata can't be read: {response}") from error

    def infer(
        self, inputs: Sequence[Tensor], values: Sequence[NDArray[Any]], timeout: float
    ) -> dict[str, NDArray[Any]]:
        return _infer(f"{self.model}/infer", inputs, values, timeout)

    def close(self) -> None:
        """Each request has a connection of its own."""


class GrpcPredictor:
    """Triton over gRPC at HOST:PORT; https://HOST:PORT is for TLS, otherwise it is plain text."""

    def __init__(self, url: str, model: str) -> None:
        self.address, self.secure = url.rpartition("://")[2], url.startswith("https://")
        self.model = model
        # gRPC's own backoff between connections grows to two minutes.
        options = [("grpc.max_reconnect_backoff_ms", 1000), ("grpc.enable_http_proxy", 0)]
        self.client = triton.InferenceServerClient(
            self.address, ssl=self.secure, channel_args=options
        )

    def check_ready(self, timeout: float) -> None:
        if not self._call(lambda: self.client.is_server_ready(client_timeout=timeout)):
            raise NotReadyError(f"{self.address}: the server is not ready")
        ready = self._call(lambda: self.client.is_model_ready(self.model, client_timeout=timeout))
        if not ready:
            raise NotReadyError(f"{self.address}: model {self.model} is not ready")

    def metadata(self, timeout: float) -> Metadata:
        found = self._call(
            lambda: self.client.get_model_metadata(self.model, client_timeout=timeout)
        )
        return Metadata(_grpc_tensors(found.inputs), _grpc_tensors(found.outputs))

    def infer(
        self, inputs: Sequence[Tensor], values: Sequence[NDArray[Any]], timeout: float
    ) -> dict[str, NDArray[Any]]:
        sent = []
        for tensor, array in zip(inputs, values, strict=True):
            sent.append(triton.InferInput(tensor.name, list(array.shape), tensor.dtype))
            sent[-1].set_data_from_numpy(array)
        result = self._call(lambda: self.client.infer(self.model, sent, client_timeout=timeout))
        names = [output.name for output in result.get_response().outputs]
        return {name: np.asarray(result.as_numpy(name)) for name in names}

    def close(self) -> None:
        self.client.close()

    def _call(self, method: Callable[[], T]) -> T:
        try:
            return method()
        except InferenceServerException as error:
            text = f"{self.address}: {error.message()}"
            status = str(error.status() or "").rpartition(".")[2]
            raise (NotReadyError if status in TRANSIENT else WrongAnswerError)(text) from error
        except grpc.RpcError as error:
            raise NotReadyError(f"{self.address}: {error}") from error


class Transformer:
    """The transformer, by the V1 protocol; tensors by V2."""

    def __init__(self, url: str, model: str) -> None:
        self.url, self.model = url, model

    def check_ready(self, timeout: float) -> None:
        """Check that it accepts requests."""
        _request(f"{self.url}/v2/health/ready", timeout)

    def predict(self, instances: Sequence[Any], timeout: float) -> Any:
        """Return the predictions, as many as instances."""
        body, headers = predict_request(instances)
        response = _request(f"{self.url}/v1/models/{self.model}:predict", timeout, body, headers)
        try:
            predictions = response.json()["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError(f"the answer has no predictions: {response}") from error
        if not isinstance(predictions, list) or len(predictions) != len(instances):
            raise WrongAnswerError(f"the answer has not {len(instances)} predictions: {response}")
        return predictions

    def infer(
        self, inputs: Sequence[Tensor], values: Sequence[NDArray[Any]], timeout: float
    ) -> dict[str, NDArray[Any]]:
        """Return outputs by name for tensors, which it passes to Triton."""
        return _infer(f"{self.url}/v2/models/{self.model}/infer", inputs, values, timeout)


def _infer(
    url: str, inputs: Sequence[Tensor], values: Sequence[NDArray[Any]], timeout: float
) -> dict[str, NDArray[Any]]:
    response = _request(url, timeout, *infer_request(inputs, values))
    try:
        return infer_outputs(response)
    except (ValueError, KeyError, TypeError) as error:
        raise WrongAnswerError(f"{url}: the answer can't be read: {error}") from error


def _request(
    url: str, timeout: float, body: bytes | None = None, headers: dict[str, str] | None = None
) -> Response:
    try:
        response = request(url, body=body, headers=headers, timeout=timeout)
    except UnreachableError as error:
        raise NotReadyError(str(error)) from error
    if body is not None and response.status in FINAL:
        raise WrongAnswerError(f"{url}: {response}")
    if response.status != 200:
        raise NotReadyError(f"{url}: {response}")
    return response


def _json_tensors(raw: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(item["name"], item["datatype"], tuple(item["shape"])) for item in raw)


def _grpc_tensors(raw: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(item.name, item.datatype, tuple(item.shape)) for item in raw)
