"""Memory that requests share. A request that does not fit waits for earlier ones to end."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["Budget", "Share"]


class Budget:
    """A number of bytes, given out in the order of the requests for them.

    `on_wait` is called when a request must wait.
    """

    def __init__(self, limit: int) -> None:
        self.on_wait: Callable[[], None] = _do_nothing
        self.limit = limit
        self.free = limit
        self.queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    def share(self) -> Share:
        """A share for one request, empty at first."""
        return Share(self)

    async def take(self, size: int) -> None:
        """Wait for `size` bytes, which must not exceed the limit."""
        if not self.queue and size <= self.free:
            self.free -= size
            return
        granted = asyncio.get_running_loop().create_future()
        entry = (size, granted)
        self.queue.append(entry)
        self.on_wait()
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.give_back(size)
            else:
                self.queue.remove(entry)
                self.give_back(0)
            raise

    def give_back(self, size: int) -> None:
        """Return bytes, and grant them to the requests that wait."""
        self.free += size
        while self.queue and (self.queue[0][1].done() or self.queue[0][0] <= self.free):
            wanted, granted = self.queue[0]
            if granted.done():
                # Cancelled. `take` removes it from the queue.
                break
            self.queue.popleft()
            self.free -= wanted
            granted.set_result(None)


class Share:
    """The bytes that one request holds. They are given back on exit."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.held = 0

    async def take(self, size: int) -> None:
        """Hold `size` more bytes, or the whole budget if it is smaller."""
        size = min(size, self.budget.limit - self.held)
        await self.budget.take(size)
        self.held += size

    def release(self) -> None:
        """Give all back."""
        if self.held:
            self.budget.give_back(self.held)
            self.held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _do_nothing() -> None:
    pass
