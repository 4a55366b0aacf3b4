"""Bodies that are being received. One that takes long gives way to another request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from transformer.body import SMALL_BODY_BYTES
from transformer.deadline import BODY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformer.body import Body
    from transformer.budget import Budget
    from transformer.deadline import Deadline

__all__ = ["Uploads"]

# A large body has this time before it gives way. A small one arrives with its head, or soon after.
LARGE_BODY_SECONDS = 5.0
CHECK_SECONDS = 0.5


class Uploads:
    """The requests that receive their bodies, in the order in which they began."""

    def __init__(self, memory: Budget) -> None:
        """`memory` is that of the bodies."""
        self.memory = memory
        memory.on_wait = self._make_room
        self.receiving: dict[Deadline, tuple[Body, asyncio.Timeout]] = {}
        self.check: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def receive(self, body: Body, deadline: Deadline, limit: asyncio.Timeout) -> Iterator[None]:
        """`limit` is the time-out of the request, which is answered with 408 if it gives way."""
        self.receiving[deadline] = body, limit
        try:
            yield
        finally:
            self.receiving.pop(deadline, None)

    def drop_slowest(self) -> bool:
        """End the request that began first of those that wait too long for their client, if any."""
        for deadline, (body, limit) in self.receiving.items():
            patience = LARGE_BODY_SECONDS if body.size > SMALL_BODY_BYTES else 0
            late = time.monotonic() - body.since > patience
            if late and deadline.waits_for is BODY and not limit.expired():
                del self.receiving[deadline]
                deadline.end_now()
                limit.reschedule(0)
                return True
        return False

    def _make_room(self) -> None:
        """Drop slow bodies as long as others wait for memory."""
        if self.check is None:
            self._check()

    def _check(self) -> None:
        self.check = None
        if self.memory.queue:
            self.drop_slowest()
            self.check = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check)
