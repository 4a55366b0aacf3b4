"""The thread for what would hold the event loop up."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["Thread"]


class Thread:
    """One thread, since each image may take most of the memory."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(1, "decode")

    async def run(self, function: Any, *arguments: Any) -> Any:
        """Call a function in it."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *arguments)

    def close(self) -> None:
        """End it after the call in progress."""
        self.executor.shutdown(wait=False, cancel_futures=True)
