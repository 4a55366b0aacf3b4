"""The HTTP server's routes, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson

from transformer import body, log, metrics, release
from transformer.errors import RequestError
from transformer.predict import Predictions
from transformer.triton_http import HttpPredictor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from transformer.predictor import Predictor
    from transformer.settings import Settings

    Send = Callable[[dict[str, Any]], Awaitable[None]]

__all__ = ["App", "make"]

JSON = b"application/json"
# Less than the readiness probe's own patience, so that its answer says why.
READY_SECONDS = 1.5

logger = logging.getLogger("transformer")


def make(settings: Settings) -> App:
    """The application of one worker."""
    log.configure()
    return App(settings, release.load(settings.release, settings.model))


class App:
    """V1 predict, V1 and V2 health and metadata, metrics."""

    def __init__(self, settings: Settings, served: release.Release) -> None:
        self.settings = settings
        self.release = served
        self.metrics = metrics.Metrics(served.name)
        self.predictor = _predictor(settings, served)
        self.predictions = Predictions(settings, self.predictor, self.metrics)
        self.predict_path = f"/v1/models/{served.name}:predict"
        self.predict_url = self.predict_path.encode()
        self.draining = False
        v1, v2 = f"/v1/models/{served.name}", f"/v2/models/{served.name}"
        self.routes: dict[str, Callable[[], Awaitable[tuple[int, bytes, bytes]]]] = {
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

    async def __call__(self, scope: dict[str, Any], receive: body.Receive, send: Send) -> None:
        """ASGI's."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["path"] == self.predict_path and scope["method"] == "POST":
            await self._predict(scope, receive, send)
        elif scope["type"] == "http":
            await self._other(scope, send)

    async def _predict(self, scope: dict[str, Any], receive: body.Receive, send: Send) -> None:
        given = body.Body(scope, receive)
        status, answer = await self.predicted(given, scope["query_string"])
        if status != 200:
            await given.discard()
        await self._send(send, status, JSON, answer)

    async def predicted(self, given: body.Given, query: bytes) -> tuple[int, bytes]:
        """Status and JSON of a predict request."""
        started = time.perf_counter()
        self.metrics.in_flight.inc()
        try:
            answer = await self.predictions.answer(given, _wants_tensors(query))
            status = 200
        except RequestError as error:
            status, message = error.status, error.message
        except Exception:
            logger.exception("a mistake of the transformer")
            status, message = 500, "a mistake of the transformer; its log has more"
        finally:
            self.metrics.in_flight.dec()
        self.metrics.count(status)
        if status != 200:
            log.failure(self.predict_path, status, message, time.perf_counter() - started)
            answer = orjson.dumps({"error": message})
        return status, answer

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
            where = f"the model is {self.release.name}, at {self.predict_path}"
            status, message = 404, f"{path[:200]}: nothing here; {where}"
        log.failure(path, status, message, 0)
        await self._send(send, status, JSON, orjson.dumps({"error": message}))

    async def _send(self, send: Send, status: int, kind: bytes, content: bytes) -> None:
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
        if self.draining or status == 408:
            # So that its next request goes to someone who stays; or since it isn't all here.
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

    async def _live(self) -> tuple[int, bytes, bytes]:
        return 200, JSON, b'{"live":true}'

    async def _ready(self) -> tuple[int, bytes, bytes]:
        ready = await self._predictor_ready()
        return 200 if ready else 503, JSON, orjson.dumps({"ready": ready})

    async def _model_ready(self) -> tuple[int, bytes, bytes]:
        ready = await self._predictor_ready()
        content = orjson.dumps({"name": self.release.name, "ready": ready})
        return 200 if ready else 503, JSON, content

    async def _models(self) -> tuple[int, bytes, bytes]:
        return 200, JSON, orjson.dumps({"models": [self.release.name]})

    async def _server(self) -> tuple[int, bytes, bytes]:
        made = {"name": "kserve-triton transformer", "version": "1", "extensions": []}
        return 200, JSON, orjson.dumps(made)

    async def _model(self) -> tuple[int, bytes, bytes]:
        outputs = [
            {"name": output.name, "datatype": output.datatype, "shape": [-1, *output.dims]}
            for output in self.release.outputs
        ]
        made = {
            "name": self.release.name,
            "platform": "kserve-triton-transformer",
            "versions": ["1"],
            "inputs": [{"name": "image_bytes", "datatype": "BYTES", "shape": [-1]}],
            "outputs": outputs,
        }
        return 200, JSON, orjson.dumps(made)

    async def _metrics(self) -> tuple[int, bytes, bytes]:
        return 200, metrics.CONTENT_TYPE, self.metrics.render()

    async def _lifespan(self, receive: body.Receive, send: Send) -> None:
        await receive()
        self._drain_on_sigterm()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.predictions.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _drain_on_sigterm(self) -> None:
        """Be unready before being gone: those who send requests hear of it only after a while."""
        stop: Any = signal.getsignal(signal.SIGTERM)
        loop = asyncio.get_running_loop()

        def drain() -> None:
            self.draining = True
            loop.call_later(self.settings.drain, stop, signal.SIGTERM, None)

        loop.add_signal_handler(signal.SIGTERM, drain)


def _wants_tensors(query: bytes) -> bool:
    if not query:
        return False
    wanted = parse_qs(query.decode("latin-1")).get("format", ["v1"])
    if wanted[-1] not in ("v1", "v2"):
        raise RequestError(400, f"format {wanted[-1][:50]!r}; allowed: v1, v2")
    return wanted[-1] == "v2"


def _predictor(settings: Settings, served: release.Release) -> Predictor:
    host, port = settings.address
    if settings.protocol == "grpc-v2":
        # gRPC takes a while to import, and memory.
        from transformer.triton_grpc import GrpcPredictor  # noqa: PLC0415

        return GrpcPredictor(host, port, served)
    return HttpPredictor(host, port, served)
