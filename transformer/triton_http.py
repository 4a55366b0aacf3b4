"""Triton over HTTP, in the V2 protocol's binary tensor extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from release import tensors
from transformer.connections import Connections
from transformer.errors import PredictorError
from transformer.predictor import MAX_AGE_SECONDS, read_tensor, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor
    from transformer.connections import Answer
    from transformer.predictor import Arrays

__all__ = ["HttpPredictor"]

# The header with the length of the JSON in front of the raw bytes.
HEADER_LENGTH = b"inference-header-content-length"


class HttpPredictor:
    """A client that keeps its connections. A request is JSON, and raw bytes behind it."""

    def __init__(self, host: str, port: int, release: Release) -> None:
        self.release = release
        self.connections = Connections(host, port, MAX_AGE_SECONDS)
        netloc = f"[{host}]" if ":" in host else host
        self.host = netloc if port == 80 else f"{netloc}:{port}"
        self.path = f"/v2/models/{quote(release.name, safe='')}"

    async def infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], headers: Mapping[str, str]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError."""
        raw = [tensors.encode(inputs[tensor.name], tensor.dtype) for tensor in self.release.inputs]
        head = self._request_head(inputs, raw, outputs, headers)
        answer = await self.connections.exchange([head, *raw])
        if answer.status != 200:
            # What Triton answers with 500 fails with another pod too.
            raise PredictorError(_reason(answer), 500 if answer.status == 500 else 503)
        return _read_outputs(answer, outputs, rows(self.release, inputs))

    def _request_head(
        self,
        inputs: Arrays,
        raw: Sequence[bytes],
        outputs: Sequence[Tensor],
        headers: Mapping[str, str],
    ) -> bytes:
        """The HTTP head and the JSON."""
        described = orjson.dumps(
            {
                "inputs": [
                    {
                        "name": tensor.name,
                        "shape": inputs[tensor.name].shape,
                        "datatype": tensor.dtype,
                        "parameters": {"binary_data_size": len(data)},
                    }
                    for tensor, data in zip(self.release.inputs, raw, strict=True)
                ],
                "outputs": [
                    {"name": output.name, "parameters": {"binary_data": True}} for output in outputs
                ],
            }
        )
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = (
            f"POST {self.path}/infer HTTP/1.1\r\n"
            f"Host: {self.host}\r\n{more}"
            "Content-Type: application/octet-stream\r\n"
            f"Inference-Header-Content-Length: {len(described)}\r\n"
            f"Content-Length: {len(described) + sum(map(len, raw))}\r\n\r\n"
        )
        return head.encode() + described

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        request = f"GET {self.path}/ready HTTP/1.1\r\nHost: {self.host}\r\n\r\n"
        try:
            return (await self.connections.exchange([request.encode()])).status == 200
        except PredictorError:
            return False

    async def close(self) -> None:
        """Close the idle connections."""
        self.connections.close()


def _reason(answer: Answer) -> str:
    try:
        return f"{answer.status}: {orjson.loads(answer.body)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status}: {answer.body[:200].decode(errors='replace')!r}"


def _read_outputs(
    answer: Answer, outputs: Sequence[Tensor], rows: int | None
) -> list[NDArray[Any]]:
    try:
        start = int(answer.headers[HEADER_LENGTH])
        described = {item["name"]: item for item in orjson.loads(answer.body[:start])["outputs"]}
        data = memoryview(answer.body)
        # The raw bytes follow in the order in which the answer lists its outputs.
        raw = {}
        for name, item in described.items():
            end = start + item["parameters"]["binary_data_size"]
            raw[name] = data[start:end]
            start = end
        return [
            read_tensor(
                output,
                described[output.name]["datatype"],
                described[output.name]["shape"],
                raw[output.name],
                rows,
            )
            for output in outputs
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PredictorError(f"its answer lacks what was asked for: {error!r}") from error
