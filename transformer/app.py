"""The routes of the HTTP server, as an ASGI application."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from transformer import forwarding, http_rules, log, metrics, spans, triton_metrics
from transformer.body import SMALL_BODY_BYTES, Body
from transformer.errors import RequestError
from transformer.handler_messages import Start
from transformer.handlers import Handlers, process_count
from transformer.metadata import documents
from transformer.predict import Predictions
from transformer.triton_http import HttpPredictor
from transformer.v2 import HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from release.schema import Release
    from transformer.body import Receive
    from transformer.budget import Budget
    from transformer.forwarding import Context
    from transformer.predictor import Predictor
    from transformer.settings import Settings

    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Headers = Sequence[tuple[bytes, bytes]]
    Response = tuple[int, bytes, bytes]
    # Called with a message and a traceback.
    Fail = Callable[[str, str | None], None]

__all__ = ["App"]

JSON = b"application/json"
BINARY = b"application/octet-stream"
# Less than the timeout of the readiness probe, so that the probe gets an answer.
READY_SECONDS = 1.5
CLOSE = (b"connection", b"close")

logger = logging.getLogger("transformer")


@dataclass
class Exchange:
    """A request's line and headers, and where its answer goes."""

    method: str
    path: str
    context: Context
    send: Send


class App:
    """V1 predict, V2 infer, V1 and V2 health and metadata, metrics.

    It calls `fail` where the handler can't be set up. `answers` is the memory of large answers that
    wait until their clients read them. A route returns status, Content-Type and body.
    """

    def __init__(self, settings: Settings, release: Release, fail: Fail, answers: Budget) -> None:
        self.settings = settings
        self.release = release
        self.metrics = metrics.Metrics(release.name)
        self.predictor = _create_predictor(settings, release)
        self.handlers = _create_handlers(settings, release, fail)
        self.spans = spans.create(release.name)
        self.predictions = Predictions(
            settings, self.predictor, self.metrics, self.spans, self.handlers, answers
        )
        self.documents = {
            path: orjson.dumps(document) for path, document in documents(release).items()
        }
        self.draining = False
        v1, v2 = f"/v1/models/{release.name}", f"/v2/models/{release.name}"
        self.predict_path = f"{v1}:predict"
        self.inferences = {self.predict_path: self.predictions.v1}
        self.routes: dict[str, Callable[[], Awaitable[Response]]] = {
            "/metrics": self._metrics,
            v1: self._model_ready,
            "/v2/health/ready": self._ready,
        }
        for path in (v2, f"{v2}/versions/1"):
            self.inferences[f"{path}/infer"] = self.predictions.v2
            self.routes[f"{path}/ready"] = self._model_ready

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Handle one ASGI connection scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        headers = dict(scope["headers"])
        exchange = Exchange(scope["method"], scope["path"], forwarding.read(headers), send)
        body = Body(headers, scope["http_version"], receive)
        refusal = http_rules.check(scope["http_version"], scope["headers"])
        if refusal:
            await body.discard(closes=True)
            await self._fail(exchange, refusal.status, refusal.message, more=[CLOSE])
        elif exchange.path in self.inferences and exchange.method == "POST":
            with self.spans.request(exchange.path, exchange.context) as exchange.context:
                status = await self._inference(exchange, body)
                self.spans.answer(status)
        else:
            await self._other(exchange)

    async def _inference(self, exchange: Exchange, body: Body) -> int:
        """Answer an inference; the answer's status."""
        started = time.perf_counter()
        trace, message = None, ""
        self.metrics.in_flight.inc()
        try:
            async with self.inferences[exchange.path](body, exchange.context) as (length, content):
                self.metrics.observe(200, time.perf_counter() - started)
                raw = [] if length is None else [(HEADER_LENGTH, b"%d" % length)]
                await self._send(exchange, 200, BINARY if raw else JSON, content, raw)
                return 200
        except RequestError as error:
            status, message, trace = error.status, error.message, error.trace
        except Exception:
            logger.exception("internal error", extra={"fields": exchange.context.fields()})
            status, message = 500, "internal error of the transformer; see its log"
        finally:
            self.metrics.in_flight.dec()
        seconds = time.perf_counter() - started
        self.metrics.observe(status, seconds)
        await body.discard()
        # After 408, the connection still carries the rest of the body.
        closes: Headers = [CLOSE] if status == 408 else ()
        await self._fail(exchange, status, message, seconds, trace, closes)
        return status

    async def _other(self, exchange: Exchange) -> None:
        path, method = exchange.path, exchange.method
        route = self.routes.get(path)
        if route and method in ("GET", "HEAD"):
            await self._send(exchange, *(await route()))
            return
        if path in self.documents and method in ("GET", "HEAD"):
            await self._send(exchange, 200, JSON, self.documents[path])
            return
        read = route or path in self.documents
        allowed = "GET, HEAD" if read else "POST" if path in self.inferences else None
        if allowed:
            message = f"{method} {path[:200]}; allowed: {allowed}"
            await self._fail(exchange, 405, message, more=[(b"allow", allowed.encode())])
        else:
            model = f"the model is {self.release.name}, at {self.predict_path}"
            await self._fail(exchange, 404, f"{path[:200]}: not found; {model}")

    async def _fail(
        self,
        exchange: Exchange,
        status: int,
        message: str,
        seconds: float = 0,
        trace: str | None = None,
        more: Headers = (),
    ) -> None:
        """Log an error, and answer it."""
        fields = exchange.context.fields()
        log.log_failure(exchange.path, status, message, seconds, fields, trace)
        await self._send(exchange, status, JSON, orjson.dumps({"error": message}), more)

    async def _send(
        self,
        exchange: Exchange,
        status: int,
        content_type: bytes,
        content: bytes,
        more: Headers = (),
    ) -> None:
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(content)),
            (forwarding.REQUEST_ID, exchange.context.id.encode()),
            *more,
        ]
        # The client's next request must reach another pod.
        if self.draining:
            headers.append(CLOSE)
        await exchange.send({"type": "http.response.start", "status": status, "headers": headers})
        part = {"type": "http.response.body", "body": content}
        if len(content) > SMALL_BODY_BYTES:
            await exchange.send(part | {"more_body": True})
            # The connection sends at the end of this turn, and then the empty part waits until the
            # client has read everything.
            await asyncio.sleep(0)
            part["body"] = b""
        await exchange.send(part)

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

    async def _ready(self) -> Response:
        """Without Triton: a probe that asked it would keep it from scaling to zero."""
        ready = self._accepts
        return 200 if ready else 503, JSON, orjson.dumps({"ready": ready})

    async def _model_ready(self) -> Response:
        ready = await self._predictor_ready()
        content = orjson.dumps({"name": self.release.name, "ready": ready})
        return 200 if ready else 503, JSON, content

    async def _metrics(self) -> Response:
        port = self.settings.triton_metrics
        beside = await triton_metrics.fetch(port) if port else b""
        return 200, metrics.CONTENT_TYPE, self.metrics.render() + beside

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
    service, pods = settings.address, settings.pods
    if settings.protocol == "grpc-v2":
        # Imported only if needed, since gRPC takes time and memory.
        from transformer.triton_grpc import GrpcPredictor  # noqa: PLC0415

        return GrpcPredictor(service, pods, settings.deadline, release)
    return HttpPredictor(service, pods, settings.deadline, release)


def _create_handlers(settings: Settings, release: Release, fail: Fail) -> Handlers | None:
    if release.handler is None or settings.handler is None:
        return None
    parameters = release.handler.parameters | settings.handler_parameters
    start = Start(release, settings.handler, parameters, settings.handler_memory)
    return Handlers(start, process_count(), settings.deadline, fail)
