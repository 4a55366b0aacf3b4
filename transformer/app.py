"""The routes of the HTTP server, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Any

import orjson

from transformer import log, metrics
from transformer.body import Body
from transformer.errors import RequestError
from transformer.handler_messages import Start
from transformer.handlers import Handlers, process_count
from transformer.predict import Predictions
from transformer.triton_http import HttpPredictor
from transformer.v2 import HEADER_LENGTH, PICTURES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from release.schema import Release, Tensor
    from transformer.body import Receive
    from transformer.predictor import Predictor
    from transformer.settings import Settings

    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Response = tuple[int, bytes, bytes]
    # Content and headers of an answer with status 200.
    Inference = tuple[bytes, list[tuple[bytes, bytes]]]
    # Called with a message and a traceback.
    Fail = Callable[[str, str | None], None]

__all__ = ["App"]

JSON = b"application/json"
BINARY = b"application/octet-stream"
# Less than the timeout of the readiness probe, so that the probe gets an answer.
READY_SECONDS = 1.5

logger = logging.getLogger("transformer")


class App:
    """V1 predict, V2 infer, V1 and V2 health and metadata, metrics.

    It calls `fail` where the handler can't be set up. A route returns status, Content-Type and
    body.
    """

    def __init__(self, settings: Settings, release: Release, fail: Fail) -> None:
        self.settings = settings
        self.release = release
        self.metrics = metrics.Metrics(release.name)
        self.predictor = _create_predictor(settings, release)
        self.handlers = _create_handlers(settings, release, fail)
        self.predictions = Predictions(settings, self.predictor, self.metrics, self.handlers)
        self.draining = False
        v1, v2 = f"/v1/models/{release.name}", f"/v2/models/{release.name}"
        self.predict_path = f"{v1}:predict"
        self.inferences: dict[str, Callable[[Body], Awaitable[Inference]]] = {
            self.predict_path: self._predict
        }
        self.routes: dict[str, Callable[[], Awaitable[Response]]] = {
            "/": self._live,
            "/metrics": self._metrics,
            "/v1/models": self._models,
            v1: self._model_ready,
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
        }
        for path in (v2, f"{v2}/versions/1"):
            self.inferences[f"{path}/infer"] = self._infer
            self.routes[path] = self._model
            self.routes[f"{path}/ready"] = self._model_ready

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Handle one ASGI connection scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] in self.inferences and scope["method"] == "POST":
            await self._inference(scope, receive, send)
        elif scope["type"] == "http":
            await self._other(scope, send)

    async def _inference(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        body, path, trace = Body(scope, receive), scope["path"], None
        headers: list[tuple[bytes, bytes]] = []
        self.metrics.in_flight.inc()
        try:
            content, headers = await self.inferences[path](body)
            status = 200
        except RequestError as error:
            status, message, trace = error.status, error.message, error.trace
        except Exception:
            logger.exception("internal error")
            status, message = 500, "internal error of the transformer; see its log"
        finally:
            self.metrics.in_flight.dec()
        seconds = time.perf_counter() - started
        self.metrics.observe(status, seconds)
        if status != 200:
            log.log_failure(path, status, message, seconds, trace)
            content = orjson.dumps({"error": message})
            await body.discard()
        await self._send(send, status, BINARY if headers else JSON, content, headers)

    async def _predict(self, body: Body) -> Inference:
        return await self.predictions.v1(body), []

    async def _infer(self, body: Body) -> Inference:
        length, content = await self.predictions.v2(body)
        return content, [] if length is None else [(HEADER_LENGTH, b"%d" % length)]

    async def _other(self, scope: dict[str, Any], send: Send) -> None:
        path, method = scope["path"], scope["method"]
        route = self.routes.get(path)
        if route is not None and method == "GET":
            await self._send(send, *(await route()))
            return
        allowed = "GET" if route else "POST" if path in self.inferences else None
        if allowed:
            status, message = 405, f"{method} {path[:200]}; allowed: {allowed}"
        else:
            model = f"the model is {self.release.name}, at {self.predict_path}"
            status, message = 404, f"{path[:200]}: not found; {model}"
        log.log_failure(path, status, message, 0)
        await self._send(send, status, JSON, orjson.dumps({"error": message}))

    async def _send(
        self,
        send: Send,
        status: int,
        content_type: bytes,
        content: bytes,
        more: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(content)),
            *more,
        ]
        # While draining, the client's next request must reach another pod. After 408, the
        # connection still carries the rest of the body.
        if self.draining or status == 408:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    @property
    def _accepts(self) -> bool:
        return not self.draining and (self.handlers is None or self.handlers.ready)

    async def _predictor_ready(self) -> bool:
        if not self._accepts:
            return False
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await self.predictor.ready()
        except TimeoutError:
            return False

    async def _live(self) -> Response:
        return 200, JSON, b'{"live":true}'

    async def _ready(self) -> Response:
        """Without Triton: a probe that asked it would keep it from scaling to zero."""
        ready = self._accepts
        return 200 if ready else 503, JSON, orjson.dumps({"ready": ready})

    async def _model_ready(self) -> Response:
        ready = await self._predictor_ready()
        content = orjson.dumps({"name": self.release.name, "ready": ready})
        return 200 if ready else 503, JSON, content

    async def _models(self) -> Response:
        return 200, JSON, orjson.dumps({"models": [self.release.name]})

    async def _server(self) -> Response:
        metadata = {
            "name": "kserve-triton transformer",
            "version": "1",
            "extensions": ["binary_tensor_data", "classification"],
        }
        return 200, JSON, orjson.dumps(metadata)

    async def _model(self) -> Response:
        pictures = {"name": PICTURES, "datatype": "BYTES", "shape": [-1]}
        inputs = [pictures] if self.release.image else self._described(self.release.inputs)
        metadata = {
            "name": self.release.name,
            "platform": "kserve-triton-transformer",
            "versions": ["1"],
            "inputs": inputs,
            "outputs": self._described(self.release.outputs),
        }
        return 200, JSON, orjson.dumps(metadata)

    def _described(self, tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
        batch = [-1] if self.release.batching else []
        return [
            {"name": each.name, "datatype": each.dtype, "shape": [*batch, *each.dims]}
            for each in tensors
        ]

    async def _metrics(self) -> Response:
        return 200, metrics.CONTENT_TYPE, self.metrics.render()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._drain_on_sigterm()
        if self.handlers:
            self.handlers.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self.handlers:
            await self.handlers.close()
        await self.predictions.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _drain_on_sigterm(self) -> None:
        """Delay uvicorn's shutdown by `drain` seconds, and be unready until then.

        Load balancers take a while to notice that a pod is unready.
        """
        shut_down: Any = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()

        def drain() -> None:
            self.draining = True
            loop.call_later(self.settings.drain, shut_down, signal.SIGTERM, None)

        loop.add_signal_handler(signal.SIGTERM, drain)


def _create_predictor(settings: Settings, release: Release) -> Predictor:
    host, port = settings.address
    if settings.protocol == "grpc-v2":
        # Imported only if needed, since gRPC takes time and memory.
        from transformer.triton_grpc import GrpcPredictor  # noqa: PLC0415

        return GrpcPredictor(host, port, release)
    return HttpPredictor(host, port, release)


def _create_handlers(settings: Settings, release: Release, fail: Fail) -> Handlers | None:
    if release.handler is None or settings.handler is None:
        return None
    parameters = release.handler.parameters | settings.handler_parameters
    start = Start(release, settings.handler, parameters, settings.handler_memory)
    return Handlers(start, process_count(), settings.deadline, fail)
