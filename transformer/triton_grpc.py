"""Triton over gRPC, with raw tensors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from release import tensors
from transformer.errors import MAX_ANSWER_BYTES, PredictorError
from transformer.predictor import MAX_AGE_SECONDS, read_tensor, rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from release.schema import Release, Tensor
    from transformer.predictor import Arrays

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


class GrpcPredictor:
    """A client with one channel, which is replaced from time to time: see MAX_AGE_SECONDS."""

    def __init__(self, host: str, port: int, release: Release) -> None:
        self.release = release
        self.target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.closing: set[asyncio.Task[None]] = set()
        self.channel: Any = None
        self.created = 0.0

    def _stub(self) -> Any:
        now = asyncio.get_running_loop().time()
        if self.channel is None or now - self.created > MAX_AGE_SECONDS:
            if self.channel is not None:
                task = asyncio.create_task(self.channel.close(GRACE_SECONDS))
                self.closing.add(task)
                task.add_done_callback(self.closing.discard)
            self.channel = grpc.aio.insecure_channel(self.target, options=OPTIONS)
            self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
            self.created = now
        return self.stub

    async def infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], headers: Mapping[str, str]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order of `outputs`. Raises PredictorError."""
        request = service_pb2.ModelInferRequest(model_name=self.release.name)
        for tensor in self.release.inputs:
            array = inputs[tensor.name]
            request.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=array.shape)
            request.raw_input_contents.append(tensors.encode(array, tensor.dtype))
        for output in outputs:
            request.outputs.add(name=output.name)
        try:
            answer = await self._infer(request, tuple(headers.items()))
        except grpc.aio.AioRpcError as error:
            # What fails inside Triton fails with another pod too.
            status = 500 if error.code() is grpc.StatusCode.INTERNAL else 503
            raise PredictorError(f"{error.code().name}: {error.details()}", status) from error
        return _read_outputs(answer, outputs, rows(self.release, inputs))

    async def _infer(self, request: Any, metadata: Sequence[tuple[str, str]]) -> Any:
        try:
            return await self._stub().ModelInfer(request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        # A pod that ends has unloaded its models. A new connection reaches another pod.
        self.created = -MAX_AGE_SECONDS
        return await self._stub().ModelInfer(request, metadata=metadata)

    async def ready(self) -> bool:
        """Whether the model answers requests."""
        try:
            request = service_pb2.ModelReadyRequest(name=self.release.name)
            return bool((await self._stub().ModelReady(request)).ready)
        except grpc.aio.AioRpcError:
            return False

    async def close(self) -> None:
        """Close the channel."""
        if self.channel is not None:
            await self.channel.close()


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
