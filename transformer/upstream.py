"""Requests to the predictor: which pod gets one, how long it may take, and its second attempt."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from transformer.errors import PredictorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Address = tuple[str, int]

__all__ = ["Client", "Upstream", "connection_lifetime"]

# Connections end at an age between this and half of it, so that they don't all end together.
MAX_AGE_SECONDS = 60.0
# How often the names of the pods are looked up. A cluster's DNS keeps its answers for 5 s and more.
LOOKUP_SECONDS = 2.0
# A pod that failed gets no requests for this time, and then one that tries it.
FAILED_SECONDS = 5.0
# A first attempt may take this many times as long as the slowest answer of the last minutes.
PATIENCE = 4.0
LEAST_PATIENCE_SECONDS = 1.0
WINDOW_SECONDS = 60.0
# Before further attempts of a request that reached nobody. A gateway takes some tenths of a second
# to notice that a pod is gone.
PAUSES = (0.05, 0.1, 0.2, 0.4)

logger = logging.getLogger("transformer")

T = TypeVar("T")


class Client(Protocol):
    """The connections to one address."""

    def drop(self, before: float) -> None:
        """Use no connection for further requests that is older than this loop's time."""
        ...

    async def close(self) -> None:
        """Close the connections when their requests have been answered."""
        ...


C = TypeVar("C", bound=Client)


def connection_lifetime() -> float:
    """Seconds after which a new connection is replaced by another."""
    return random.uniform(MAX_AGE_SECONDS / 2, MAX_AGE_SECONDS)


@dataclass
class Pod(Generic[C]):
    """A pod of the predictor. After a failure it is not used before `retry_at`."""

    client: C
    retry_at: float = 0.0


class Patience:
    """How long a first attempt may take: by recent answers, and at most half of the deadline.

    Attempts that wait get more time when others turn out to be slow, so that load that makes all
    answers slower does not lead to second attempts.
    """

    def __init__(self, deadline: float) -> None:
        self.most = deadline / 2
        self.seconds = self.most
        # The slowest answers of the window before and of the current one.
        self.slowest = [0.0, 0.0]
        self.window_end = 0.0
        self.waiting: dict[asyncio.Timeout, float] = {}

    async def limit(self, attempt: Awaitable[T], started: float) -> T:
        """Wait for an attempt. Raises TimeoutError."""
        async with asyncio.timeout_at(started + self.seconds) as limit:
            self.waiting[limit] = started
            try:
                return await attempt
            finally:
                del self.waiting[limit]

    def note(self, started: float, now: float) -> None:
        """An attempt has been answered."""
        if now > self.window_end:
            self.slowest = [self.slowest[1], 0.0]
            self.window_end = now + WINDOW_SECONDS
        self.slowest[1] = max(self.slowest[1], now - started)
        before = self.seconds
        wanted = max(PATIENCE * max(self.slowest), LEAST_PATIENCE_SECONDS)
        self.seconds = min(wanted, self.most)
        if self.seconds > before:
            for limit, start in self.waiting.items():
                if not limit.expired():
                    limit.reschedule(start + self.seconds)


class Upstream(Generic[C]):
    """The predictor's Service, and its pods where they have a name of their own.

    Requests go to the pods in turn. One that fails is sent once more, through the Service and on a
    new connection: the cluster routes that to a pod that is ready, while names of pods may be old.
    One that is not answered in time goes to another pod, since the cluster may take the silent one
    for ready for a while. One that reached nobody through the Service is tried some times more: by
    another pod, or after a pause.
    """

    def __init__(
        self,
        service: Address,
        pods: Address | None,
        deadline: float,
        create: Callable[[str, int], C],
    ) -> None:
        self.service = create(*service)
        self.name_of_pods = pods
        self.create = create
        self.patience = Patience(deadline)
        self.pods: dict[str, Pod[C]] = {}
        self.order: list[Pod[C]] = []
        self.turn = 0
        self.lookup: asyncio.Task[None] | None = None
        self.lookup_at = 0.0
        self.closing: set[asyncio.Task[None]] = set()

    async def ask(self, send: Callable[[C], Awaitable[T]]) -> T:
        """The answer to a request that may be sent twice. Raises PredictorError."""
        started = asyncio.get_running_loop().time()
        self._look_up(started)
        pod, other = self._next(started), None
        client = pod.client if pod else self.service
        try:
            answer = await self.patience.limit(send(client), started)
            self._note(pod, started)
            return answer
        except TimeoutError:
            self._leave(pod, started)
            other = self._next(asyncio.get_running_loop().time())
        except PredictorError as error:
            if not error.again:
                raise
            self._leave(pod, started)
        for pause in PAUSES:
            try:
                return await self._ask_again(send, other, started)
            except PredictorError as error:
                now = asyncio.get_running_loop().time()
                if not error.unreached or now + pause > started + self.patience.most:
                    raise
            other = self._next(now)
            if other is None:
                await asyncio.sleep(pause)
        return await self._ask_again(send, other, started)

    async def ready(self, ask: Callable[[C], Awaitable[bool]]) -> bool:
        """Whether the predictor is ready, as the Service's pods answer."""
        ready = False
        try:
            ready = await ask(self.service)
        except PredictorError:
            pass
        finally:
            if not ready:
                # The connection may lead to a pod that ends.
                self.service.drop(asyncio.get_running_loop().time())
        return ready

    async def _ask_again(
        self, send: Callable[[C], Awaitable[T]], pod: Pod[C] | None, before: float
    ) -> T:
        """Ask a pod or the Service, on a connection that was made after `before`."""
        started = asyncio.get_running_loop().time()
        client = pod.client if pod else self.service
        client.drop(before)
        answer = await send(client)
        self._note(pod, started)
        return answer

    def _leave(self, pod: Pod[C] | None, started: float) -> None:
        """A pod has failed, or the Service."""
        now = asyncio.get_running_loop().time()
        if pod:
            pod.retry_at = now + FAILED_SECONDS
        (pod.client if pod else self.service).drop(started)

    def _note(self, pod: Pod[C] | None, started: float) -> None:
        """A pod has answered, or the Service."""
        if pod:
            pod.retry_at = 0.0
        self.patience.note(started, asyncio.get_running_loop().time())

    def _next(self, now: float) -> Pod[C] | None:
        """The pod whose turn it is; None: the Service decides."""
        for _ in self.order:
            self.turn = (self.turn + 1) % len(self.order)
            pod = self.order[self.turn]
            if pod.retry_at <= now:
                if pod.retry_at:
                    # One request tries it, and the others wait for how that ends.
                    pod.retry_at = now + FAILED_SECONDS
                return pod
        return None

    def _look_up(self, now: float) -> None:
        if self.name_of_pods and self.lookup is None and now >= self.lookup_at:
            self.lookup = asyncio.create_task(self._find_pods(*self.name_of_pods))

    async def _find_pods(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            self._use({str(each[4][0]) for each in found}, port)
        except OSError:
            # No pod is ready, or the DNS isn't. The pods that are known may still answer.
            pass
        finally:
            self.lookup = None
            self.lookup_at = loop.time() + LOOKUP_SECONDS

    def _use(self, found: set[str], port: int) -> None:
        """Make these addresses the predictor's pods."""
        if found == self.pods.keys():
            return
        for address in self.pods.keys() - found:
            self._in_background(self.pods.pop(address).client.close())
        for address in found - self.pods.keys():
            self.pods[address] = Pod(self.create(address, port))
        self.order = list(self.pods.values())
        # Workers and replicas don't begin with the same pod.
        random.shuffle(self.order)
        logger.info("pods of the predictor: %s", ", ".join(sorted(self.pods)))

    def _in_background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    async def close(self) -> None:
        """Close all connections."""
        if self.lookup:
            self.lookup.cancel()
        await asyncio.gather(
            self.service.close(), *(pod.client.close() for pod in self.order), *self.closing
        )
