"""One predict request, from its body to its answer."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from transformer import images, requests
from transformer.body import SMALL_BODY_BYTES
from transformer.budget import Budget
from transformer.deadline import MEMORY, PREDICTOR, Deadline
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from release.schema import Tensor
    from transformer.body import Body
    from transformer.budget import Share
    from transformer.metrics import Metrics
    from transformer.predictor import Predictor
    from transformer.settings import Settings

__all__ = ["Predictions"]

MIB = 2**20
# These and the single decoding thread limit the memory of the process: see docs/transformer.md.
ALL_BODIES_BYTES = 48 * MIB
TENSORS_BYTES = 32 * MIB
# Requests up to these sizes are decoded on the event loop: a thread takes longer to wake up.
INLINE_INSTANCES = 8
INLINE_PIXELS = 64 * 1024
CHUNKS_AT_ONCE = 8
CHUNK_BYTES_AT_ONCE = 8 * MIB
# Requests at the same time. Another pod answers sooner than a longer queue would, and each request
# holds up to 320 KiB that the server has already read.
MAX_REQUESTS = 256


class Predictions:
    """Reads, decodes, asks the predictor and renders, within the limits of time and memory."""

    def __init__(self, settings: Settings, predictor: Predictor, metrics: Metrics) -> None:
        self.settings = settings
        self.predictor = predictor
        self.metrics = metrics
        self.release = predictor.release
        self.converter = images.Converter(self.release)
        self.bodies = Budget(ALL_BODIES_BYTES)
        self.tensors = Budget(TENSORS_BYTES)
        # One thread, since each image may take most of the memory.
        self.thread = ThreadPoolExecutor(1, "decode")
        self.requests = 0
        self.item_dims = self.release.inputs[0].dims
        self.item_bytes = 4 * int(np.prod(self.item_dims))
        self.max_instances = max(1, min(requests.MAX_INSTANCES, TENSORS_BYTES // self.item_bytes))

    async def predict(self, body: Body, *, tensors: bool) -> bytes:
        """The answer as JSON: V1 predictions, or V2 tensors. Raises RequestError."""
        if self.requests >= MAX_REQUESTS:
            raise RequestError(503, f"busy with {MAX_REQUESTS} other requests")
        deadline = Deadline(self.settings.deadline)
        wanted = self.release.outputs if tensors else self.release.outputs[:1]
        self.requests += 1
        try:
            async with asyncio.timeout(deadline.seconds):
                with self.tensors.share() as share:
                    batch = await self._read_batch(body, share, deadline)
                    deadline.waits_for = PREDICTOR
                    outputs = await self._infer(batch, wanted)
        except TimeoutError as error:
            raise deadline.error() from error
        finally:
            self.requests -= 1
        return self._render_tensors(outputs) if tensors else self._render_predictions(outputs[0])

    async def _read_batch(
        self, body: Body, tensors_share: Share, deadline: Deadline
    ) -> NDArray[np.float32]:
        with self.bodies.share() as body_share:
            content = await body.read(body_share, deadline)
            deadline.waits_for = MEMORY
            started = time.perf_counter()
            if len(content) <= SMALL_BODY_BYTES:
                texts = requests.parse(content, self.max_instances)
            else:
                texts = await self._in_thread(requests.parse, content, self.max_instances)
            del content
            await tensors_share.take(len(texts) * self.item_bytes)
            batch = await self._decode(texts, deadline)
        self.metrics.decode.observe(time.perf_counter() - started)
        return batch

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    async def _decode(self, texts: list[str], deadline: Deadline) -> NDArray[np.float32]:
        """Decode base64 images into a batch [N, 3, height, width]."""
        batch = np.empty((len(texts), *self.item_dims), np.float32)
        small = len(texts) <= INLINE_INSTANCES and sum(map(len, texts)) <= SMALL_BODY_BYTES
        opened = [_open(index, text) for index, text in enumerate(texts)] if small else []
        if small and sum(image.width * image.height for image in opened) <= INLINE_PIXELS:
            for index, image in enumerate(opened):
                self._convert(index, image, batch)
        else:
            await self._in_thread(self._decode_all, texts, batch, deadline)
        return batch

    def _decode_all(self, texts: list[str], batch: NDArray[np.float32], deadline: Deadline) -> None:
        for index, text in enumerate(texts):
            if deadline.passed():
                raise deadline.error()
            self._convert(index, _open(index, text), batch)

    def _convert(self, index: int, image: Image.Image, batch: NDArray[np.float32]) -> None:
        try:
            self.converter.convert(image, batch[index])
        except RequestError as error:
            raise RequestError.at_instance(index, error) from error

    async def _infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Tensor]
    ) -> list[NDArray[Any]]:
        started = time.perf_counter()
        size = self.settings.max_batch_size
        try:
            if len(batch) <= size:
                return await self.predictor.infer(batch, outputs)
            chunks = [batch[start : start + size] for start in range(0, len(batch), size)]
            return await self._infer_chunks(chunks, outputs)
        finally:
            self.metrics.predict.observe(time.perf_counter() - started)

    async def _infer_chunks(
        self, chunks: list[NDArray[np.float32]], outputs: Sequence[Tensor]
    ) -> list[NDArray[Any]]:
        at_once = min(CHUNKS_AT_ONCE, CHUNK_BYTES_AT_ONCE // chunks[0].nbytes)
        slots = asyncio.Semaphore(max(1, at_once))

        async def infer(chunk: NDArray[np.float32]) -> list[NDArray[Any]]:
            async with slots:
                return await self.predictor.infer(chunk, outputs)

        tasks = [asyncio.create_task(infer(chunk)) for chunk in chunks]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def _render_predictions(self, scores: NDArray[Any]) -> bytes:
        labels = self.release.labels
        predictions = [
            {"label": labels[index], "index": index, "scores": row}
            for index, row in zip(scores.argmax(axis=1).tolist(), scores, strict=True)
        ]
        return orjson.dumps({"predictions": predictions}, option=orjson.OPT_SERIALIZE_NUMPY)

    def _render_tensors(self, values: list[NDArray[Any]]) -> bytes:
        outputs = [
            {
                "name": output.name,
                "shape": value.shape,
                "datatype": output.dtype,
                "data": value.reshape(-1),
            }
            for output, value in zip(self.release.outputs, values, strict=True)
        ]
        answer = {"model_name": self.release.name, "outputs": outputs}
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

    async def close(self) -> None:
        """End the thread and close the connections to the predictor."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        await self.predictor.close()


def _open(index: int, text: str) -> Image.Image:
    try:
        return images.open_image(images.decode_base64(text))
    except RequestError as error:
        raise RequestError.at_instance(index, error) from error
