"""The endpoint as its clients see it: Triton over HTTP or gRPC, and the transformer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from jobs import protocol
from jobs.http_client import Answer, UnreachableError, request
from jobs.release import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from jobs.release import Sample

__all__ = [
    "HttpPredictor",
    "Metadata",
    "NotReadyError",
    "Predictor",
    "Transformer",
    "WrongAnswerError",
    "predict_body",
]


# What was sent is refused: waiting won't help. (Triton says 400 of a model that isn't ready, too.)
REFUSED = (400, 413, 422)


class NotReadyError(Exception):
    """The endpoint doesn't serve yet; says what was asked and what came back."""


class WrongAnswerError(Exception):
    """The endpoint serves, but not what its release says; what was found, what expected."""


@dataclass(frozen=True)
class Metadata:
    """What a model says of itself; dims as the server gives them, with the batch if there is."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class Predictor(Protocol):
    """Triton. Methods raise NotReadyError or WrongAnswerError, `timeout` seconds later at most."""

    def check_ready(self, timeout: float) -> None:
        """Server and model are ready."""

    def metadata(self, timeout: float) -> Metadata:
        """The model's inputs and outputs."""

    def infer(
        self, tensor: Tensor, values: NDArray[Any], timeout: float
    ) -> dict[str, NDArray[Any]]:
        """Outputs by name for one input, batch first."""


class HttpPredictor:
    """Triton over HTTP; tensors travel as raw bytes."""

    def __init__(self, url: str, model: str, host_header: str | None) -> None:
        self.url, self.model = url, model
        self.headers = _host(host_header)

    def check_ready(self, timeout: float) -> None:
        """Server and model are ready."""
        for path in ("/v2/health/ready", f"/v2/models/{self.model}/ready"):
            _ask(self.url + path, self.headers, timeout)

    def metadata(self, timeout: float) -> Metadata:
        """The model's inputs and outputs."""
        answer = _ask(f"{self.url}/v2/models/{self.model}", self.headers, timeout)
        try:
            raw = answer.json()
            return Metadata(_tensors(raw["inputs"]), _tensors(raw["outputs"]))
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError(f"the model's metadata can't be read: {answer}") from error

    def infer(
        self, tensor: Tensor, values: NDArray[Any], timeout: float
    ) -> dict[str, NDArray[Any]]:
        """Outputs by name for one input, batch first."""
        body, headers = protocol.encode(tensor, values)
        url = f"{self.url}/v2/models/{self.model}/infer"
        answer = _ask(url, self.headers | headers, timeout, body)
        try:
            return protocol.decode(answer)
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError(f"the predictor's answer can't be read: {error}") from error


class Transformer:
    """The image transformer's V1 protocol."""

    def __init__(self, url: str, model: str, host_header: str | None) -> None:
        self.url, self.model = url, model
        self.headers = _host(host_header)

    def check_ready(self, timeout: float) -> None:
        """It takes requests."""
        _ask(f"{self.url}/v2/health/ready", self.headers, timeout)

    def predict(self, samples: Sequence[Sample], timeout: float) -> list[dict[str, Any]]:
        """One prediction a sample: `label`, `index`, `scores`."""
        url = f"{self.url}/v1/models/{self.model}:predict"
        headers = self.headers | {"Content-Type": "application/json"}
        answer = _ask(url, headers, timeout, predict_body(samples))
        try:
            found = answer.json()["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise WrongAnswerError(
                f"the transformer's answer has no predictions: {answer}"
            ) from error
        if not isinstance(found, list) or len(found) != len(samples):
            raise WrongAnswerError(f"the transformer gave not {len(samples)} predictions: {answer}")
        return found


def predict_body(samples: Sequence[Sample]) -> bytes:
    """V1 request for images."""
    instances = [{"image_bytes": {"b64": sample.image}} for sample in samples]
    return json.dumps({"instances": instances}).encode()


def _ask(url: str, headers: dict[str, str], timeout: float, body: bytes | None = None) -> Answer:
    try:
        answer = request(url, body=body, headers=headers, timeout=timeout)
    except UnreachableError as error:
        raise NotReadyError(str(error)) from error
    if body is not None and answer.status in REFUSED:
        raise WrongAnswerError(f"{url}: {answer}")
    if answer.status != 200:
        raise NotReadyError(f"{url}: {answer}")
    return answer


def _host(host_header: str | None) -> dict[str, str]:
    return {"Host": host_header} if host_header else {}


def _tensors(raw: list[dict[str, Any]]) -> tuple[Tensor, ...]:
    return tuple(Tensor(item["name"], item["datatype"], tuple(item["shape"])) for item in raw)
