"""The threads for what would hold the event loop up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["Threads"]


class Threads:
    """As few threads as the memory allows, since each picture may take much of it."""

    def __init__(self, count: int) -> None:
        self.executor = ThreadPoolExecutor(count, "work")

    async def run(self, function: Any, *arguments: Any) -> Any:
        """Call a function in one of them, in the order of the calls."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *arguments)

    def close(self) -> None:
        """End them after the calls in progress."""
        self.executor.shutdown(wait=False, cancel_futures=True)
