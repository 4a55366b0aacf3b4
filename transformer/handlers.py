"""The release's handler in processes of its own, which may hang, run out of memory or die."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import pickle
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformer.deadline import HANDLER_BUSY, handler_returned
from transformer.errors import RequestError
from transformer.handler_messages import SIZE, Call, Failure, Start, pack

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformer.deadline import Deadline

__all__ = ["Handlers", "process_count"]

# Two at least, so that a call that hangs leaves one for the others.
LEAST_PROCESSES, MOST_PROCESSES = 2, 8
RESTART_SECONDS = 1.0
# One thread in each process, unless the container's environment says otherwise.
THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")

logger = logging.getLogger("transformer")


class EndedError(Exception):
    """The process ended; the message says how."""


class SetupError(Exception):
    """The handler can't be loaded or set up."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.trace = failure.trace


class Process:
    """One process, which runs one call at a time."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process, self.reader, self.writer = process, reader, writer

    @classmethod
    async def start(cls, start: Start) -> Process:
        """A process whose handler is set up. Raises SetupError."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "transformer.handler_process", str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                # It ends when this pipe does: with this process.
                stdin=asyncio.subprocess.PIPE,
                env=THREADS | os.environ,
            )
        made = cls(process, *await asyncio.open_connection(sock=ours, limit=2**20))
        try:
            answer = await made.exchange(start)
        except EndedError as error:
            raise SetupError(Failure(500, f"handler: setup: {error}")) from error
        except asyncio.CancelledError:
            await made.kill()
            raise
        if isinstance(answer, Failure):
            await made.kill()
            raise SetupError(answer)
        return made

    async def exchange(self, message: Any) -> Any:
        """Send a message and wait for its answer. Raises EndedError."""
        try:
            self.writer.writelines(pack(message))
            (size,) = SIZE.unpack(await self.reader.readexactly(SIZE.size))
            return pickle.loads(await self.reader.readexactly(size))
        except (OSError, asyncio.IncompleteReadError) as error:
            status = await self.process.wait()
            how = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
            raise EndedError(f"its process ended with {how}") from error

    async def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        self.writer.close()


class Handlers:
    """As many processes as `count`. One that ends is replaced."""

    def __init__(
        self, start: Start, count: int, seconds: float, fail: Callable[[str, str | None], None]
    ) -> None:
        """`seconds` bound a call. `fail` is told where the handler can't be set up at first."""
        self.start, self.count, self.seconds, self.fail = start, count, seconds, fail
        self.idle: asyncio.Queue[Process] = asyncio.Queue()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.running = 0
        self.was_ready = False

    def open(self) -> None:
        """Start the processes."""
        for _ in range(self.count):
            self._spawn(self._keep())

    @property
    def ready(self) -> bool:
        """Whether a process is set up."""
        return self.running > 0

    async def call(self, call: Call, deadline: Deadline) -> Any:
        """The value of a call. Raises RequestError."""
        deadline.waits_for = HANDLER_BUSY
        process = await self.idle.get()
        while process.process.returncode is not None:
            process = await self.idle.get()
        deadline.waits_for = handler_returned(call.function)
        # A process goes on with its call after the request's deadline, since a new one takes time.
        return await asyncio.shield(self._spawn(self._run(process, call)))

    async def _run(self, process: Process, call: Call) -> Any:
        where = f"handler: {call.function}"
        try:
            async with asyncio.timeout(self.seconds):
                answer = await process.exchange(call)
        except TimeoutError as error:
            await process.kill()
            logger.error(f"{where}: killed after {self.seconds:g} s")
            raise RequestError(500, f"{where}: not done after {self.seconds:g} s") from error
        except EndedError as error:
            logger.error(f"{where}: {error}")
            raise RequestError(500, f"{where}: {error}") from error
        if isinstance(answer, Failure):
            if answer.ends:
                await process.kill()
            else:
                self.idle.put_nowait(process)
            raise RequestError(answer.status, answer.message, answer.trace)
        self.idle.put_nowait(process)
        return answer.value

    async def _keep(self) -> None:
        """Keep one process running."""
        while True:
            try:
                process = await Process.start(self.start)
            except SetupError as error:
                if not self.was_ready:
                    self.fail(str(error), error.trace)
                    return
                logger.error(str(error), extra={"fields": {"trace": error.trace}})
                await asyncio.sleep(RESTART_SECONDS)
                continue
            self.was_ready = True
            self.running += 1
            self.idle.put_nowait(process)
            try:
                await process.process.wait()
            finally:
                self.running -= 1
                await process.kill()

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        # The request that waited for it may be answered already.
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        """End the processes."""
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def process_count() -> int:
    """The number of processes: a CPU of the container for each."""
    cpus = float(len(os.sched_getaffinity(0)))
    with contextlib.suppress(OSError, ValueError):
        quota, period = CPU_MAX.read_text().split()
        cpus = min(cpus, int(quota) / int(period))
    return min(max(math.ceil(cpus), LEAST_PROCESSES), MOST_PROCESSES)
