"""Triton over HTTP, in the V2 protocol's binary tensor extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from transformer.connections import Connections
from transformer.errors import PredictorError
from transformer.predictor import MAX_AGE_SECONDS, tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from transformer.connections import Answer
    from transformer.release import Output, Release

__all__ = ["HttpPredictor"]

# How long the JSON before the raw bytes is.
HEADER_LENGTH = b"inference-header-content-length"
MAX_HEADS = 256


class HttpPredictor:
    """Keeps connections; a request is its head, made once for each batch size, and raw bytes."""

    def __init__(self, host: str, port: int, release: Release) -> None:
        self.release = release
        self.connections = Connections(host, port, MAX_AGE_SECONDS)
        netloc = f"[{host}]" if ":" in host else host
        self.host = netloc if port == 80 else f"{netloc}:{port}"
        self.path = f"/v2/models/{quote(release.name, safe='')}"
        self.heads: dict[tuple[int, int], bytes] = {}

    async def infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Output]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order asked for. Raises PredictorError."""
        key = (len(batch), len(outputs))
        head = self.heads.get(key)
        if head is None:
            head = self._head(batch, outputs)
            if len(self.heads) < MAX_HEADS:
                self.heads[key] = head
        answer = await self.connections.exchange([head, batch.data.cast("B")])
        if answer.status != 200:
            raise PredictorError(_reason(answer))
        return _tensors(answer, outputs, len(batch))

    def _head(self, batch: NDArray[np.float32], outputs: Sequence[Output]) -> bytes:
        described = orjson.dumps(
            {
                "inputs": [
                    {
                        "name": self.release.input_name,
                        "shape": batch.shape,
                        "datatype": "FP32",
                        "parameters": {"binary_data_size": batch.nbytes},
                    }
                ],
                "outputs": [
                    {"name": output.name, "parameters": {"binary_data": True}} for output in outputs
                ],
            }
        )
        lines = (
            f"POST {self.path}/infer HTTP/1.1\r\n"
            f"Host: {self.host}\r\n"
            "Content-Type: application/octet-stream\r\n"
            f"Inference-Header-Content-Length: {len(described)}\r\n"
            f"Content-Length: {len(described) + batch.nbytes}\r\n\r\n"
        )
        return lines.encode() + described

    async def ready(self) -> bool:
        """The model answers requests."""
        request = f"GET {self.path}/ready HTTP/1.1\r\nHost: {self.host}\r\n\r\n"
        try:
            return (await self.connections.exchange([request.encode()])).status == 200
        except PredictorError:
            return False

    async def close(self) -> None:
        """End the connections that are kept."""
        self.connections.close()


def _reason(answer: Answer) -> str:
    try:
        return f"{answer.status}: {orjson.loads(answer.body)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status}: {answer.body[:200].decode(errors='replace')!r}"


def _tensors(answer: Answer, outputs: Sequence[Output], batch: int) -> list[NDArray[Any]]:
    try:
        at = int(answer.headers[HEADER_LENGTH])
        described = {item["name"]: item for item in orjson.loads(answer.body[:at])["outputs"]}
        data = memoryview(answer.body)
        # The raw bytes follow in the order in which the answer lists its outputs.
        raw = {}
        for name, item in described.items():
            size = item["parameters"]["binary_data_size"]
            raw[name] = data[at : at + size]
            at += size
        found = [(output, described[output.name], raw[output.name]) for output in outputs]
        return [
            tensor(output, item["datatype"], item["shape"], part, batch)
            for output, item, part in found
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PredictorError(f"its answer lacks what was asked for: {error!r}") from error
