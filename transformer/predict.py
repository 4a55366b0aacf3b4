"""One predict request, from its body to its answer."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from release import instances as builtin
from release.instances import InstanceError
from release.schema import DTYPES
from release.tensors import plain
from transformer import batches, requests, v2, v2_answer
from transformer.body import SMALL_BODY_BYTES
from transformer.budget import Budget
from transformer.deadline import HANDLER_BUSY, MEMORY, PREDICTOR, Deadline
from transformer.errors import RequestError
from transformer.handler_messages import Call
from transformer.images import Pictures
from transformer.predictor import rows
from transformer.threads import Threads
from transformer.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from numpy.typing import NDArray

    from release.schema import Release, Tensor
    from transformer.body import Body
    from transformer.budget import Share
    from transformer.forwarding import Context
    from transformer.handlers import Handlers
    from transformer.metrics import Metrics
    from transformer.predictor import Arrays, Predictor
    from transformer.settings import Settings
    from transformer.spans import Spans
    from transformer.v2 import Request

    # A body, and the length of its JSON where raw bytes follow.
    Answer = tuple[int | None, bytes]

__all__ = ["Predictions"]

MIB = 2**20
# These and the number of threads limit the memory of the process: see docs/transformer.md.
ALL_BODIES_BYTES = 48 * MIB
TENSORS_BYTES = 32 * MIB
# Requests whose tensors are made, and wait for their share of the memory, without a handler.
WAITING_REQUESTS = 2
# Requests at the same time. Another pod answers sooner than a longer queue would, and each request
# holds up to 320 KiB that the server has already read.
MAX_REQUESTS = 256


@dataclass
class Limits:
    """What one request has: its context and time, and its shares of the memory."""

    context: Context
    deadline: Deadline
    timeout: asyncio.Timeout
    body: Share
    tensors: Share


class Predictions:
    """Reads, preprocesses, asks the predictor and renders, within the limits of time and memory."""

    def __init__(
        self,
        settings: Settings,
        predictor: Predictor,
        metrics: Metrics,
        spans: Spans,
        handlers: Handlers | None,
        answers: Budget,
    ) -> None:
        """`answers` is the memory of large answers that wait until their clients read them."""
        self.settings = settings
        self.answers = answers
        self.predictor = predictor
        self.metrics = metrics
        self.spans = spans
        self.release = release = predictor.release
        own = release.handler
        self.before = handlers if own and own.preprocess else None
        self.after = handlers if own and own.postprocess else None
        self.threads = Threads(settings.max_threads)
        self.pictures = Pictures(release, self.threads) if release.image else None
        self.bodies = Budget(ALL_BODIES_BYTES)
        self.tensors = Budget(TENSORS_BYTES)
        self.uploads = Uploads(self.bodies)
        self.requests = 0
        # While requests wait for memory the tensors of only so many are there already.
        self.slots = asyncio.Semaphore(handlers.count if handlers else WAITING_REQUESTS)
        self.output_bytes = _bytes(release.outputs)
        self.row_bytes = _bytes(release.inputs) + self.output_bytes
        self.max_instances = max(1, min(requests.MAX_INSTANCES, TENSORS_BYTES // self.row_bytes))
        labelled = builtin.classified(release) and not self.after
        self.wanted = release.outputs[:1] if labelled else release.outputs

    def v1(self, body: Body, context: Context) -> AbstractAsyncContextManager[Answer]:
        """The answer of V1, `{"predictions": [...]}`, until it is read. Raises RequestError."""
        return self._limited(self._v1, body, context)

    def v2(self, body: Body, context: Context) -> AbstractAsyncContextManager[Answer]:
        """The answer of V2, until it is read. Raises RequestError."""
        return self._limited(self._v2, body, context)

    @contextlib.asynccontextmanager
    async def _limited(
        self, work: Callable[[Body, Limits], Awaitable[Answer]], body: Body, context: Context
    ) -> AsyncIterator[Answer]:
        """Do the work of a request within its limits. Raises RequestError.

        A large answer keeps its share of the memory until it is read.
        """
        if self.requests >= MAX_REQUESTS and not self.uploads.drop_slowest():
            raise RequestError(503, f"busy with {MAX_REQUESTS} other requests")
        context.check_size()
        deadline = Deadline(self.settings.deadline)
        self.requests += 1
        with self.answers.share() as unread:
            try:
                async with asyncio.timeout(deadline.seconds) as timeout:
                    with self.bodies.share() as share, self.tensors.share() as tensors:
                        limits = Limits(context, deadline, timeout, share, tensors)
                        answer = await work(body, limits)
                        if len(answer[1]) > SMALL_BODY_BYTES:
                            deadline.waits_for = MEMORY
                            await unread.take(len(answer[1]))
            except TimeoutError as error:
                raise deadline.error() from error
            finally:
                self.requests -= 1
            yield answer

    async def _read(self, body: Body, limits: Limits) -> bytes | bytearray:
        with self.uploads.receive(body, limits.deadline, limits.timeout):
            return await body.read(limits.body, limits.deadline)

    async def _v1(self, body: Body, limits: Limits) -> Answer:
        content = await self._read(body, limits)
        started = time.perf_counter()
        with self.spans.decode():
            inputs = await self._preprocess(content, limits)
        self.metrics.decode.observe(time.perf_counter() - started)
        if not self.after:
            del content
            limits.body.release()
        values = await self._infer(inputs, self.wanted, limits)
        outputs = {tensor.name: value for tensor, value in zip(self.wanted, values, strict=True)}
        if self.after:
            answer: bytes = await self.after.call(Call(content, outputs), limits.deadline)
        else:
            size = sum(value.nbytes for value in values)
            answer = await self._sized(size, _render_predictions, self.release, outputs)
        return None, answer

    async def _v2(self, body: Body, limits: Limits) -> Answer:
        content = await self._read(body, limits)
        started = time.perf_counter()
        head, raw = v2.split(content, body.headers.get(v2.HEADER_LENGTH))
        with self.spans.decode():
            request, inputs = await self._parse(head, raw, limits)
        self.metrics.decode.observe(time.perf_counter() - started)
        wanted = [output.tensor for output in request.outputs]
        values = await self._infer(inputs, wanted, limits)
        size = sum(value.nbytes for value in values)
        answer: Answer = await self._sized(size, v2_answer.render, self.release, request, values)
        return answer

    async def _parse(
        self, head: memoryview, raw: memoryview, limits: Limits
    ) -> tuple[Request, Arrays]:
        """A request of V2, and its inputs."""
        limits.deadline.waits_for = MEMORY
        async with self._slot(len(head)):
            request: Request = await self._sized(len(head), v2.parse, head, raw, self.release)
            if not request.pictures:
                await self._hold(request.inputs, limits)
                return request, request.inputs
        return request, await self._decode(request.pictures, v2.PICTURES, limits)

    async def _preprocess(self, content: bytes | bytearray, limits: Limits) -> Arrays:
        limits.deadline.waits_for = MEMORY
        if self.pictures and not self.before:
            texts = await self._sized(len(content), _texts, content, self.max_instances)
            return await self._decode(texts, "instances", limits)
        if not self.before:
            async with self._slot(len(content)):
                inputs: Arrays = await self._sized(len(content), _arrays, content, self.release)
                await self._hold(inputs, limits)
            return inputs
        limits.deadline.waits_for = HANDLER_BUSY
        async with self.slots:
            inputs = await self.before.call(Call(content), limits.deadline)
            await self._hold(inputs, limits)
        return inputs

    async def _decode(self, pictures: Sequence[str | bytes], where: str, limits: Limits) -> Arrays:
        """Pictures as the input of an image model."""
        assert self.pictures
        if len(pictures) > self.max_instances:
            raise RequestError(413, f"{len(pictures):,} {where}; allowed: {self.max_instances:,}")
        limits.deadline.waits_for = MEMORY
        await limits.tensors.take(len(pictures) * self.row_bytes)
        return await self.pictures.decode(pictures, where, limits.deadline)

    def _slot(self, size: int) -> contextlib.AbstractAsyncContextManager[None]:
        """A slot for a request in JSON of this size; small ones need none."""
        return contextlib.nullcontext() if size <= SMALL_BODY_BYTES else self.slots

    async def _hold(self, inputs: Arrays, limits: Limits) -> None:
        """Wait for the memory of these inputs and their outputs."""
        limits.deadline.waits_for = MEMORY
        size = sum(array.nbytes for array in inputs.values())
        size += (rows(self.release, inputs) or 1) * self.output_bytes
        await limits.tensors.take(size)

    async def _sized(self, size: int, function: Any, *arguments: Any) -> Any:
        """Call a function, in a thread where there is much to do."""
        if size <= SMALL_BODY_BYTES:
            return function(*arguments)
        return await self.threads.run(function, *arguments)

    async def _infer(
        self, inputs: Arrays, outputs: Sequence[Tensor], limits: Limits
    ) -> list[NDArray[Any]]:
        limits.deadline.waits_for = PREDICTOR
        started = time.perf_counter()
        try:
            with self.spans.predict(limits.context.headers) as headers:
                return await batches.infer(
                    self.predictor, inputs, outputs, headers, self.settings.max_batch_size
                )
        finally:
            self.metrics.predict.observe(time.perf_counter() - started)

    async def close(self) -> None:
        """End the threads and close the connections to the predictor."""
        self.threads.close()
        await self.predictor.close()


def _texts(content: bytes | bytearray, max_instances: int) -> list[str]:
    """The pictures of V1's instances in base64."""
    instances = requests.parse(content, max_instances, requests.MAX_PICTURE_VALUES)
    try:
        return [builtin.picture(index, each) for index, each in enumerate(instances)]
    except InstanceError as error:
        raise RequestError(400, str(error)) from error


def _arrays(content: bytes | bytearray, release: Release) -> Arrays:
    """The inputs in V1's instances."""
    try:
        return builtin.arrays(release, requests.parse(content))
    except InstanceError as error:
        raise RequestError(400, str(error)) from error


def _render_predictions(release: Release, outputs: Arrays) -> bytes:
    made = {"predictions": builtin.predictions(release, outputs)}
    text: bytes = orjson.dumps(made, option=orjson.OPT_SERIALIZE_NUMPY, default=plain)
    return text


def _bytes(tensors: Sequence[Tensor]) -> int:
    """Bytes of a row, as far as they are known: 8 for a text, and 1 for what varies."""
    return sum(
        np.dtype(DTYPES[tensor.dtype]).itemsize * math.prod(max(dim, 1) for dim in tensor.dims)
        for tensor in tensors
    )
