"""Triton over gRPC, with raw tensors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from release import tensors
from transformer.errors import MAX_ANSWER_BYTES, PredictorError
from transformer.predictor import overloaded, read_tensor, rows, unreached
from transformer.upstream import Upstream, connection_lifetime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor
    from transformer.predictor import Arrays
    from transformer.upstream import Address

__all__ = ["GrpcPredictor"]

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    # Reconnect soon after the predictor comes back.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    # Otherwise a new channel shares the connection of the old one.
    ("grpc.use_local_subchannel_pool", 1),
]
# Time for the calls in flight on a channel that is replaced.
GRACE_SECONDS = 60.0
# While the predictor is down, each failure asks for new channels. They cost more than an attempt.
DROP_SECONDS = 0.1
# Connections to one address. One that is silent holds only its part of the requests up.
CHANNELS = 3
# Another pod may answer: no connection, a Triton that ends and has unloaded its models, and one
# that ends and cancels its calls.
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.CANCELLED)


@dataclass
class Channel:
    """A connection. Times are those of the event loop."""

    channel: Any
    stub: Any
    created: float
    expires: float


class Channels:
    """The connections to one address, which are used in turn and replaced from time to time."""

    def __init__(self, host: str, port: int) -> None:
        self.target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.channels: list[Channel | None] = [None] * CHANNELS
        self.turn = 0
        self.drop_at = 0.0
        self.closing: set[asyncio.Task[None]] = set()

    def stub(self) -> Any:
        """Triton's methods, on the next connection that has not just failed."""
        for _ in range(CHANNELS):
            self.turn = (self.turn + 1) % CHANNELS
            kept = self._renew(self.turn)
            if kept.channel.get_state() is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                break
        return kept.stub

    def _renew(self, place: int) -> Channel:
        now = asyncio.get_running_loop().time()
        kept = self.channels[place]
        if kept is None or kept.expires < now:
            self._remove(place)
            kept = self.channels[place] = self._create(now)
        return kept

    def _create(self, now: float) -> Channel:
        channel = grpc.aio.insecure_channel(self.target, options=OPTIONS)
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        return Channel(channel, stub, now, now + connection_lifetime())

    def _remove(self, place: int) -> None:
        removed, self.channels[place] = self.channels[place], None
        if removed is not None:
            task = asyncio.create_task(removed.channel.close(GRACE_SECONDS))
            self.closing.add(task)
            task.add_done_callback(self.closing.discard)

    def drop(self, before: float) -> None:
        """Replace the channels that were made before this time of the loop."""
        now = asyncio.get_running_loop().time()
        if now < self.drop_at:
            return
        self.drop_at = now + DROP_SECONDS
        for place, channel in enumerate(self.channels):
            if channel is not None and channel.created <= before:
                self._remove(place)

    async def close(self) -> None:
        """Close the channels when their calls have ended."""
        for place in range(CHANNELS):
            self._remove(place)
        await asyncio.gather(*self.closing)


class GrpcPredictor:
    """A client that sends and receives raw tensors."""

    def __init__(
        self, service: Address, pods: Address | None, deadline: float, release: Release
    ) -> None:
        self.release = release
        self.upstream = Upstream(service, pods, deadline, Channels)

    async def infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], headers: Mapping[str, str]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError."""
        request = self._request(inputs, outputs)
        metadata = tuple(headers.items())

        async def send(channels: Channels) -> Any:
            try:
                return await channels.stub().ModelInfer(request, metadata=metadata)
            except grpc.aio.AioRpcError as error:
                raise _error(error) from error

        answer = await self.upstream.ask(send)
        return _read_outputs(answer, outputs, rows(self.release, inputs))

    def _request(self, inputs: Arrays, outputs: Sequence[Tensor]) -> Any:
        request = service_pb2.ModelInferRequest(model_name=self.release.name)
        for tensor in self.release.inputs:
            array = inputs[tensor.name]
            request.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=array.shape)
            request.raw_input_contents.append(tensors.encode(array, tensor.dtype))
        for output in outputs:
            request.outputs.add(name=output.name)
        return request

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        request = service_pb2.ModelReadyRequest(name=self.release.name)

        async def ask(channels: Channels) -> bool:
            try:
                return bool((await channels.stub().ModelReady(request)).ready)
            except grpc.aio.AioRpcError as error:
                raise _error(error) from error

        return await self.upstream.ready(ask)

    async def close(self) -> None:
        """Close the channels."""
        await self.upstream.close()


def _error(error: grpc.aio.AioRpcError) -> PredictorError:
    code, details = error.code(), error.details() or ""
    # What fails inside Triton fails with another pod too.
    status = 500 if code is grpc.StatusCode.INTERNAL else 503
    again = code in AGAIN and not overloaded(details)
    message = f"{code.name}: {details}"
    return PredictorError(message, status, again=again, unreached=unreached(details))


def _read_outputs(answer: Any, outputs: Sequence[Tensor], rows: int | None) -> list[NDArray[Any]]:
    pairs = zip(answer.outputs, answer.raw_output_contents, strict=False)
    by_name = {described.name: (described, raw) for described, raw in pairs}
    missing = [output.name for output in outputs if output.name not in by_name]
    if missing:
        raise PredictorError(f"its answer lacks {', '.join(missing)}")
    arrays = []
    for output in outputs:
        described, raw = by_name[output.name]
        arrays.append(read_tensor(output, described.datatype, described.shape, raw, rows))
    return arrays
