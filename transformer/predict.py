"""One predict request, from its body to its answer."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from transformer import body, images, png, requests
from transformer.budget import Budget
from transformer.deadline import PREDICTOR, ROOM, Deadline
from transformer.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from transformer.body import Given
    from transformer.budget import Share
    from transformer.metrics import Metrics
    from transformer.predictor import Predictor
    from transformer.release import Output
    from transformer.settings import Settings

__all__ = ["Predictions"]

MIB = 2**20
# With one thread that decodes, these bound the process: see docs/transformer.md.
ALL_BODIES_BYTES = 48 * MIB
TENSORS_BYTES = 32 * MIB
# What is decoded at once on the event loop, since a thread would take longer to wake up.
INLINE_INSTANCES = 8
# Plain PNGs are decoded when they are opened, so as many of them as may be inline must fit.
INLINE_PIXELS = INLINE_INSTANCES * png.MAX_PIXELS
CHUNKS_AT_ONCE = 8
CHUNK_BYTES_AT_ONCE = 8 * MIB
# Requests at once. More would wait for longer than it takes to ask another pod, and each holds
# what the server has read of it: up to 320 KiB.
MAX_REQUESTS = 256


class Predictions:
    """Reads, decodes, asks the predictor and renders, within the deadline and the memory."""

    def __init__(self, settings: Settings, predictor: Predictor, metrics: Metrics) -> None:
        self.settings = settings
        self.predictor = predictor
        self.metrics = metrics
        self.release = predictor.release
        self.converter = images.Converter(self.release)
        self.bodies = Budget(ALL_BODIES_BYTES)
        self.tensors = Budget(TENSORS_BYTES)
        # One, since each image may take most of the memory that there is.
        self.thread = ThreadPoolExecutor(1, "decode")
        self.requests = 0
        self.item_bytes = 4 * int(np.prod(self.release.input_dims))
        self.max_instances = max(1, min(requests.MAX_INSTANCES, TENSORS_BYTES // self.item_bytes))

    async def answer(self, given: Given, plain: bool) -> bytes:
        """The answer's JSON; `plain` asks for V2 tensors. Raises RequestError."""
        if self.requests >= MAX_REQUESTS:
            raise RequestError(503, f"busy with {MAX_REQUESTS} other requests")
        deadline = Deadline(self.settings.deadline)
        outputs = self.release.outputs if plain else self.release.outputs[:1]
        self.requests += 1
        try:
            async with asyncio.timeout(deadline.seconds):
                with self.tensors.share() as share:
                    batch = await self._batch(given, share, deadline)
                    deadline.waits_for = PREDICTOR
                    found = await self._infer(batch, outputs)
        except TimeoutError as error:
            raise deadline.error() from error
        finally:
            self.requests -= 1
        return self._tensors(found) if plain else self._labels(found[0])

    async def _batch(self, given: Given, share: Share, deadline: Deadline) -> NDArray[np.float32]:
        with self.bodies.share() as held:
            content = await given.read(held, deadline)
            deadline.waits_for = ROOM
            started = time.perf_counter()
            if len(content) <= body.SMALL_BODY_BYTES:
                texts = requests.parse(content, self.max_instances)
            else:
                texts = await self._in_thread(requests.parse, content, self.max_instances)
            del content
            await share.take(len(texts) * self.item_bytes)
            batch = await self._decode(texts, deadline)
        self.metrics.decode(time.perf_counter() - started)
        return batch

    async def _in_thread(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)

    async def _decode(self, texts: list[str], deadline: Deadline) -> NDArray[np.float32]:
        batch = np.empty((len(texts), *self.release.input_dims), np.float32)
        small = len(texts) <= INLINE_INSTANCES and sum(map(len, texts)) <= body.SMALL_BODY_BYTES
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
            raise RequestError.of_instance(index, error) from error

    async def _infer(
        self, batch: NDArray[np.float32], outputs: Sequence[Output]
    ) -> list[NDArray[Any]]:
        started = time.perf_counter()
        size = self.settings.max_batch_size
        try:
            if len(batch) <= size:
                return await self.predictor.infer(batch, outputs)
            chunks = [batch[at : at + size] for at in range(0, len(batch), size)]
            return await self._infer_chunks(chunks, outputs)
        finally:
            self.metrics.predict(time.perf_counter() - started)

    async def _infer_chunks(
        self, chunks: list[NDArray[np.float32]], outputs: Sequence[Output]
    ) -> list[NDArray[Any]]:
        at_once = min(CHUNKS_AT_ONCE, CHUNK_BYTES_AT_ONCE // chunks[0].nbytes)
        slots = asyncio.Semaphore(max(1, at_once))

        async def infer(chunk: NDArray[np.float32]) -> list[NDArray[Any]]:
            async with slots:
                return await self.predictor.infer(chunk, outputs)

        tasks = [asyncio.create_task(infer(chunk)) for chunk in chunks]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _labels(self, scores: NDArray[Any]) -> bytes:
        labels = self.release.labels
        made = [
            {"label": labels[index], "index": index, "scores": row}
            for index, row in zip(scores.argmax(axis=1).tolist(), scores, strict=True)
        ]
        return orjson.dumps({"predictions": made}, option=orjson.OPT_SERIALIZE_NUMPY)

    def _tensors(self, found: list[NDArray[Any]]) -> bytes:
        outputs = [
            {
                "name": output.name,
                "shape": values.shape,
                "datatype": output.datatype,
                "data": values.reshape(-1),
            }
            for output, values in zip(self.release.outputs, found, strict=True)
        ]
        made = {"model_name": self.release.name, "outputs": outputs}
        return orjson.dumps(made, option=orjson.OPT_SERIALIZE_NUMPY)

    async def close(self) -> None:
        """Ends the thread and the predictor's connections."""
        self.thread.shutdown(wait=False, cancel_futures=True)
        await self.predictor.close()


def _open(index: int, text: str) -> Image.Image:
    try:
        return images.open_image(images.decode_base64(text))
    except RequestError as error:
        raise RequestError.of_instance(index, error) from error
