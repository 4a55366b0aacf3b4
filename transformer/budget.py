"""Memory that requests share: who doesn't fit waits for those before."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["Budget", "Share"]


class Budget:
    """Bytes given out in the order in which they were asked for."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self.queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    def share(self) -> Share:
        """What one request holds of it: nothing yet."""
        return Share(self)

    async def take(self, size: int) -> None:
        """Wait for bytes; never more than there are in all."""
        if not self.queue and size <= self.free:
            self.free -= size
            return
        place = (size, asyncio.get_running_loop().create_future())
        self.queue.append(place)
        try:
            await place[1]
        except asyncio.CancelledError:
            if place[1].done() and not place[1].cancelled():
                self.give(size)
            else:
                self.queue.remove(place)
                self.give(0)
            raise

    def give(self, size: int) -> None:
        """Bytes back, and on to those who wait."""
        self.free += size
        while self.queue and (self.queue[0][1].done() or self.queue[0][0] <= self.free):
            wanted, place = self.queue[0]
            if place.done():
                # Cancelled; it takes itself out of the queue.
                break
            self.queue.popleft()
            self.free -= wanted
            place.set_result(None)


class Share:
    """Given back on exit, whatever happened."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.held = 0

    async def take(self, size: int) -> None:
        """Hold this much more, or all there is where it is less."""
        size = min(size, self.budget.limit - self.held)
        await self.budget.take(size)
        self.held += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self.held:
            self.budget.give(self.held)
            self.held = 0
