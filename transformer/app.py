"""The routes of the HTTP server, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from transformer import log, metrics
from transformer.body import Body
from transformer.errors import RequestError
from transformer.predict import Predictions
from transformer.triton_http import HttpPredictor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from release.schema import Release
    from transformer.body import Receive
    from transformer.predictor import Predictor
    from transformer.settings import Settings

    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Response = tuple[int, bytes, bytes]

__all__ = ["App", "create_app"]

JSON = b"application/json"
# Less than the timeout of the readiness probe, so that the probe gets an answer.
READY_SECONDS = 1.5

logger = logging.getLogger("transformer")


def create_app(settings: Settings, release: Release) -> App:
    """The application of one worker."""
    log.configure()
    return App(settings, release)


class App:
    """V1 predict, V1 and V2 health and metadata, metrics.

    A route returns status, Content-Type and body.
    """

    def __init__(self, settings: Settings, release: Release) -> None:
        self.settings = settings
        self.release = release
        self.metrics = metrics.Metrics(release.name)
        self.predictor = _create_predictor(settings, release)
        self.predictions = Predictions(settings, self.predictor, self.metrics)
        self.draining = False
        v1, v2 = f"/v1/models/{release.name}", f"/v2/models/{release.name}"
        self.predict_path = f"{v1}:predict"
        self.routes: dict[str, Callable[[], Awaitable[Response]]] = {
            "/": self._live,
            "/metrics": self._metrics,
            "/v1/models": self._models,
            v1: self._model_ready,
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            v2: self._model,
            f"{v2}/ready": self._model_ready,
        }

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Handle one ASGI connection scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == self.predict_path and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        elif scope["type"] == "http":
            await self._other(scope, send)

    async def _predict(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        body = Body(scope, receive)
        self.metrics.in_flight.inc()
        try:
            tensors = _wants_tensors(scope["query_string"])
            status, content = 200, await self.predictions.predict(body, tensors=tensors)
        except RequestError as error:
            status, message = error.status, error.message
        except Exception:
            logger.exception("internal error")
            status, message = 500, "internal error of the transformer; see its log"
        finally:
            self.metrics.in_flight.dec()
        self.metrics.count(status)
        if status != 200:
            log.log_failure(self.predict_path, status, message, time.perf_counter() - started)
            content = orjson.dumps({"error": message})
            await body.discard()
        await self._send(send, status, JSON, content)

    async def _other(self, scope: dict[str, Any], send: Send) -> None:
        path, method = scope["path"], scope["method"]
        route = self.routes.get(path)
        if route is not None and method == "GET":
            await self._send(send, *(await route()))
            return
        allowed = "GET" if route else "POST" if path == self.predict_path else None
        if allowed:
            status, message = 405, f"{method} {path[:200]}; allowed: {allowed}"
        else:
            model = f"the model is {self.release.name}, at {self.predict_path}"
            status, message = 404, f"{path[:200]}: not found; {model}"
        log.log_failure(path, status, message, 0)
        await self._send(send, status, JSON, orjson.dumps({"error": message}))

    async def _send(self, send: Send, status: int, content_type: bytes, content: bytes) -> None:
        headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(content))]
        # While draining, the client's next request must reach another pod. After 408, the
        # connection still carries the rest of the body.
        if self.draining or status == 408:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _predictor_ready(self) -> bool:
        if self.draining:
            return False
        try:
            async with asyncio.timeout(READY_SECONDS):
                return await self.predictor.ready()
        except TimeoutError:
            return False

    async def _live(self) -> Response:
        return 200, JSON, b'{"live":true}'

    async def _ready(self) -> Response:
        ready = await self._predictor_ready()
        return 200 if ready else 503, JSON, orjson.dumps({"ready": ready})

    async def _model_ready(self) -> Response:
        ready = await self._predictor_ready()
        content = orjson.dumps({"name": self.release.name, "ready": ready})
        return 200 if ready else 503, JSON, content

    async def _models(self) -> Response:
        return 200, JSON, orjson.dumps({"models": [self.release.name]})

    async def _server(self) -> Response:
        metadata = {"name": "kserve-triton transformer", "version": "1", "extensions": []}
        return 200, JSON, orjson.dumps(metadata)

    async def _model(self) -> Response:
        metadata = {
            "name": self.release.name,
            "platform": "kserve-triton-transformer",
            "versions": ["1"],
            "inputs": [{"name": "image_bytes", "datatype": "BYTES", "shape": [-1]}],
            "outputs": [
                {"name": output.name, "datatype": output.dtype, "shape": [-1, *output.dims]}
                for output in self.release.outputs
            ],
        }
        return 200, JSON, orjson.dumps(metadata)

    async def _metrics(self) -> Response:
        return 200, metrics.CONTENT_TYPE, self.metrics.render()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._drain_on_sigterm()
        await send({"type": "lifespan.startup.complete"})
        await receive()
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


def _wants_tensors(query: bytes) -> bool:
    """Whether `?format=v2` is given. Raises RequestError for another format."""
    if not query:
        return False
    name = parse_qs(query.decode("latin-1")).get("format", ["v1"])[-1]
    if name not in ("v1", "v2"):
        raise RequestError(400, f"format {name[:50]!r}; allowed: v1, v2")
    return name == "v2"


def _create_predictor(settings: Settings, release: Release) -> Predictor:
    host, port = settings.address
    if settings.protocol == "grpc-v2":
        # Imported only if needed, since gRPC takes time and memory.
        from transformer.triton_grpc import GrpcPredictor  # noqa: PLC0415

        return GrpcPredictor(host, port, release)
    return HttpPredictor(host, port, release)
