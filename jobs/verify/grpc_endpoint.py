"""Triton over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from jobs.release import Tensor
from jobs.verify.endpoint import Metadata, NotReadyError, WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from numpy.typing import NDArray

    T = TypeVar("T")

__all__ = ["GrpcPredictor"]

# What goes by itself when pods come up; anything else is an answer.
TRANSIENT = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "NOT_FOUND")


class GrpcPredictor:
    """Triton over gRPC; `url` is http://HOST[:PORT] for plain text, https:// for TLS."""

    def __init__(self, url: str, model: str, host_header: str | None) -> None:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        self.address = f"{parts.hostname}:{parts.port or (443 if secure else 80)}"
        self.model = model
        # A channel that failed waits longer and longer; a pod that comes up should be seen soon.
        options: list[tuple[str, Any]] = [
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.enable_http_proxy", 0),
        ]
        if host_header:
            options.append(("grpc.default_authority", host_header))
        self.client = triton.InferenceServerClient(self.address, ssl=secure, channel_args=options)

    def check_ready(self, timeout: float) -> None:
        """Server and model are ready."""
        if not self._call(lambda: self.client.is_server_ready(client_timeout=timeout)):
            raise NotReadyError(f"{self.address}: the server says that it isn't ready")
        ready = self._call(lambda: self.client.is_model_ready(self.model, client_timeout=timeout))
        if not ready:
            raise NotReadyError(f"{self.address}: model {self.model} isn't ready")

    def metadata(self, timeout: float) -> Metadata:
        """The model's inputs and outputs."""
        found = self._call(
            lambda: self.client.get_model_metadata(self.model, client_timeout=timeout)
        )
        return Metadata(_tensors(found.inputs), _tensors(found.outputs))

    def infer(
        self, tensor: Tensor, values: NDArray[Any], timeout: float
    ) -> dict[str, NDArray[Any]]:
        """Outputs by name for one input, batch first."""
        given = triton.InferInput(tensor.name, list(values.shape), tensor.dtype)
        given.set_data_from_numpy(values)
        result = self._call(lambda: self.client.infer(self.model, [given], client_timeout=timeout))
        names = [output.name for output in result.get_response().outputs]
        return {name: np.asarray(result.as_numpy(name)) for name in names}

    def _call(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except InferenceServerException as error:
            text = f"{self.address}: {error.message()}"
            kind = str(error.status() or "").rpartition(".")[2]
            raise (NotReadyError if kind in TRANSIENT else WrongAnswerError)(text) from error
        except grpc.RpcError as error:
            raise NotReadyError(f"{self.address}: {error}") from error


def _tensors(raw: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(item.name, item.datatype, tuple(item.shape)) for item in raw)
