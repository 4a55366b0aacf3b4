"""Triton over HTTP, in the V2 protocol's binary tensor extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from release import tensors
from transformer.connections import Connections
from transformer.errors import PredictorError
from transformer.predictor import overloaded, read_tensor, rows, unreached
from transformer.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor
    from transformer.connections import Answer
    from transformer.predictor import Arrays
    from transformer.upstream import Address

__all__ = ["HttpPredictor"]

# The header with the length of the JSON in front of the raw bytes.
HEADER_LENGTH = b"inference-header-content-length"
# Another pod may answer: Triton has no model while it ends (404, 503), and a proxy in front of it
# does not reach it (502, 503).
AGAIN = (404, 502, 503)


class HttpPredictor:
    """A client that keeps its connections. A request is JSON, and raw bytes behind it."""

    def __init__(
        self, service: Address, pods: Address | None, deadline: float, release: Release
    ) -> None:
        self.release = release
        self.upstream = Upstream(service, pods, deadline, Connections)
        host, port = service
        netloc = f"[{host}]" if ":" in host else host
        self.host = netloc if port == 80 else f"{netloc}:{port}"
        self.path = f"/v2/models/{quote(release.name, safe='')}"

    async def infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], headers: Mapping[str, str]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError."""
        raw = [tensors.encode(inputs[tensor.name], tensor.dtype) for tensor in self.release.inputs]
        described = self._describe(inputs, raw, outputs)
        head = self._request_head(len(described), sum(map(len, raw)), headers)
        request = [head + described, *raw]

        async def send(connections: Connections) -> Answer:
            answer = await connections.exchange(request)
            if answer.status != 200:
                raise _error(answer)
            return answer

        answer = await self.upstream.ask(send)
        return _read_outputs(answer, outputs, rows(self.release, inputs))

    def _describe(self, inputs: Arrays, raw: Sequence[bytes], outputs: Sequence[Tensor]) -> bytes:
        """The JSON in front of the raw bytes."""
        described: bytes = orjson.dumps(
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
        return described

    def _request_head(self, json_bytes: int, raw_bytes: int, headers: Mapping[str, str]) -> bytes:
        lines = [
            f"POST {self.path}/infer HTTP/1.1",
            f"Host: {self.host}",
            "Content-Type: application/octet-stream",
            f"Inference-Header-Content-Length: {json_bytes}",
            f"Content-Length: {json_bytes + raw_bytes}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        request = f"GET {self.path}/ready HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode()

        async def ask(connections: Connections) -> bool:
            return (await connections.exchange([request])).status == 200

        return await self.upstream.ready(ask)

    async def close(self) -> None:
        """Close the idle connections."""
        await self.upstream.close()


def _error(answer: Answer) -> PredictorError:
    reason = _reason(answer)
    # What Triton answers with 500 fails with another pod too.
    status = 500 if answer.status == 500 else 503
    again = answer.status in AGAIN and not overloaded(reason)
    return PredictorError(reason, status, again=again, unreached=unreached(reason))


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
