"""Triton over gRPC, with raw tensors. Apart, since gRPC takes a while to import."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from transformer.errors import MAX_ANSWER_BYTES, PredictorError
from transformer.predictor import MAX_AGE_SECONDS, tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from transformer.release import Output, Release

__all__ = ["GrpcPredictor"]

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", MAX_ANSWER_BYTES),
    # A predictor that comes back should be seen soon.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    # Else a new channel takes the connection of the old one.
    ("grpc.use_local_subchannel_pool", 1),
]
# Time for calls that still run on a channel that is given up.
GRACE_SECONDS = 60.0

logger = logging.getLogger(__name__)


class GrpcPredictor:
    """One channel, made anew from time to time so that it reaches pods that came later."""

    def __init__(self, host: str, port: int, release: Release) -> None:
        self.release = release
        self.target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.closing: set[asyncio.Task[None]] = set()
        self.channel: Any = None
        self.born = 0.0

    def _stub(self) -> Any:
        now = asyncio.get_running_loop().time()
        if self.channel is None or now - self.born > MAX_AGE_SECONDS:
            if self.channel is not None:
                task = asyncio.create_task(self.channel.close(GRACE_SECONDS))
                self.closing.add(task)
                task.add_done_callback(self.closing.discard)
            self.channel = grpc.aio.insecure_channel(self.target, options=OPTIONS)
            self.stub = service_pb2_grpc.GRPCInferenceServiceStub(self.channel)
            self.born = now
        return self.stub

    async def infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Output]
    ) -> list[NDArray[Any]]:
        """The outputs of a batch, in the order asked for. Raises PredictorError."""
        request = service_pb2.ModelInferRequest(
            model_name=self.release.name, raw_input_contents=[batch.tobytes()]
        )
        request.inputs.add(name=self.release.input_name, datatype="FP32", shape=batch.shape)
        for output in outputs:
            request.outputs.add(name=output.name)
        try:
            answer = await self._stub().ModelInfer(request)
        except grpc.aio.AioRpcError as error:
            raise PredictorError(f"{error.code().name}: {error.details()}") from error
        return _tensors(answer, outputs, len(batch))

    async def ready(self) -> bool:
        """The model answers requests."""
        try:
            request = service_pb2.ModelReadyRequest(name=self.release.name)
            return bool((await self._stub().ModelReady(request)).ready)
        except grpc.aio.AioRpcError:
            return False

    async def close(self) -> None:
        """End the channel."""
        if self.channel is not None:
            await self.channel.close()


def _tensors(answer: Any, outputs: Sequence[Output], batch: int) -> list[NDArray[Any]]:
    pairs = zip(answer.outputs, answer.raw_output_contents, strict=False)
    found = {described.name: (described, raw) for described, raw in pairs}
    missing = [output.name for output in outputs if output.name not in found]
    if missing:
        raise PredictorError(f"its answer lacks {', '.join(missing)}")
    made = []
    for output in outputs:
        described, raw = found[output.name]
        made.append(tensor(output, described.datatype, described.shape, raw, batch))
    return made
