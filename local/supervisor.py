"""Keeps the cluster's processes running, until it's told to stop: `python -m local.supervisor`.

Each process starts when all it needs is healthy, at the first start and after a crash alike. What
dies is started again, sooner the first time than the fifth. Nothing is ever signalled that wasn't
started here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local import state
from local.api import ApiError
from local.definition import processes, tasks
from local.errors import LocalError
from local.layout import ROOT, Layout
from local.processes import leashed, start_mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.spec import Process, Task

__all__ = ["Supervisor"]

_TICK = 0.1
_LOOK_AGAIN, _LOOK_AGAIN_WHEN_WELL = 0.2, 2.0
_MAX_BACK_OFF = 8.0
_PROVEN = 60.0
"""A process that ran so long starts with a clean slate after its next death."""
_HUNG = 60.0
"""A process that doesn't answer for so long, though all it needs is well, is started anew."""
_LOG_LIMIT = 20_000_000
_LOCK = "supervisor.lock"


@dataclass
class Child:
    """A process as it stands."""

    spec: Process
    popen: subprocess.Popen[bytes] | None = None
    started: str = ""
    since: float = 0.0
    healthy: bool = False
    ill_since: float = 0.0
    deaths: int = 0
    restarts: int = 0
    start_at: float = 0.0
    check: Future[bool] | None = None
    look_at: float = 0.0

    def record(self) -> state.Record:
        return state.Record(
            pid=self.popen.pid if self.popen else 0,
            started=self.started,
            since=self.since,
            port=self.spec.port,
            healthy=self.healthy,
            restarts=self.restarts,
        )


@dataclass
class Chore:
    """A task as it stands."""

    spec: Task
    run: Future[None] | None = None
    done: bool = False
    error: str = ""
    start_at: float = 0.0


@dataclass
class Supervisor:
    """All of it happens in `run`, in one thread; health checks and tasks have threads of theirs."""

    layout: Layout
    children: dict[str, Child]
    chores: dict[str, Chore]
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))
    stopping: bool = False
    written: state.State | None = None

    @classmethod
    def of(cls, layout: Layout) -> Supervisor:
        return cls(
            layout,
            {spec.name: Child(spec) for spec in processes(layout)},
            {spec.name: Chore(spec) for spec in tasks(layout)},
        )

    def run(self) -> None:
        for death in (signal.SIGTERM, signal.SIGINT):
            signal.signal(death, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while not self.stopping:
            # Somebody removed the clone, or its `.local`, from under the cluster.
            self.stopping = not (self.layout.base / _LOCK).exists()
            self._look_after_children()
            self._look_after_chores()
            if not self.stopping:
                self._write()
            time.sleep(_TICK)
        self._stop_all()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.layout.state.unlink(missing_ok=True)

    def _on_signal(self, number: int, _frame: object) -> None:
        _say(f"{signal.Signals(number).name}: stopping")
        self.stopping = True

    def _is_well(self, name: str) -> bool:
        if name in self.chores:
            return self.chores[name].done
        return self.children[name].healthy

    def _may_start(self, needs: tuple[str, ...], at: float) -> bool:
        return time.monotonic() >= at and all(map(self._is_well, needs))

    def _look_after_children(self) -> None:
        for child in self.children.values():
            if child.popen and child.popen.poll() is not None:
                self._bury(child, child.popen.returncode)
            if child.popen is None and self._may_start(child.spec.needs, child.start_at):
                self._start(child)
            if child.popen:
                self._ask(child)
                self._give_up_if_hung(child, child.popen)

    def _start(self, child: Child) -> None:
        spec = child.spec
        log = self.layout.log(spec.name)
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            child.popen = subprocess.Popen(
                leashed(spec.command, spec.death),
                cwd=ROOT,
                env=os.environ | spec.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Of its own, so that a terminal's Ctrl-C is nobody's but the terminal's program's.
                start_new_session=True,
            )
        child.started = start_mark(child.popen.pid) or ""
        child.since, child.ill_since = time.time(), time.monotonic()
        child.look_at, child.healthy, child.check = 0.0, False, None
        _say(f"{spec.name}: started, pid {child.popen.pid}")

    def _bury(self, child: Child, status: int) -> None:
        lived = time.time() - child.since
        child.deaths = 1 if lived > _PROVEN else child.deaths + 1
        wait = min(0.25 * 2 ** (child.deaths - 1), _MAX_BACK_OFF)
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        _say(f"{child.spec.name}: ended after {lived:.0f} s ({cause}); again in {wait:g} s")
        child.popen, child.check, child.healthy = None, None, False
        child.restarts += 1
        child.start_at = time.monotonic() + wait

    def _ask(self, child: Child) -> None:
        now = time.monotonic()
        if child.check and child.check.done():
            well = child.check.exception() is None and child.check.result()
            if child.healthy != well:
                _say(f"{child.spec.name}: {'healthy' if well else 'does not answer'}")
                child.ill_since = now
            child.healthy, child.check = well, None
            child.look_at = now + (_LOOK_AGAIN_WHEN_WELL if well else _LOOK_AGAIN)
        if child.check is None and now >= child.look_at:
            child.check = self.pool.submit(child.spec.healthy)

    def _give_up_if_hung(self, child: Child, popen: subprocess.Popen[bytes]) -> None:
        now = time.monotonic()
        if child.healthy or not all(map(self._is_well, child.spec.needs)):
            child.ill_since = now
        elif now - child.ill_since > _HUNG:
            _say(f"{child.spec.name}: no answer for {_HUNG:.0f} s; starting it anew")
            popen.kill()
            child.ill_since = now

    def _look_after_chores(self) -> None:
        for chore in self.chores.values():
            if chore.run and chore.run.done():
                error = chore.run.exception()
                chore.run, chore.done = None, error is None
                chore.error = f"{type(error).__name__}: {error}" if error else ""
                chore.start_at = time.monotonic() + 1.0
                if isinstance(error, ApiError | LocalError):
                    chore.error = str(error)
                _say(f"{chore.spec.name}: {chore.error or 'done'}")
            ready = self._may_start(chore.spec.needs, chore.start_at)
            if not chore.done and chore.run is None and ready:
                chore.run = self.pool.submit(chore.spec.run)

    def _write(self) -> None:
        now = state.State(
            pid=os.getpid(),
            started=start_mark(os.getpid()) or "",
            edition=os.environ.get(state.EDITION, ""),
            processes={name: child.record() for name, child in self.children.items()},
            tasks={n: "done" if c.done else c.error or "waiting" for n, c in self.chores.items()},
        )
        if now != self.written:
            state.write(self.layout, now)
            self.written = now

    def _stop_all(self) -> None:
        """In waves: whoever needs nobody that is left, last."""
        left = {name: child for name, child in self.children.items() if child.popen}
        while left:
            needed = {need for child in left.values() for need in self._all_needs(child.spec)}
            wave = [child for name, child in left.items() if name not in needed]
            # The node first and alone: its pods' ends are told to an API server with controllers.
            wave = [child for child in wave if child.spec.death != signal.SIGKILL] or wave
            _stop(wave)
            left = {name: child for name, child in left.items() if child not in wave}

    def _all_needs(self, spec: Process) -> set[str]:
        through = [self.chores[n].spec.needs for n in spec.needs if n in self.chores]
        return {*spec.needs, *(name for names in through for name in names)}


def _stop(children: list[Child]) -> None:
    for child in children:
        if child.popen:
            child.popen.terminate()
    for child in children:
        if child.popen is None:
            continue
        try:
            child.popen.wait(child.spec.grace)
        except subprocess.TimeoutExpired:
            _say(f"{child.spec.name}: didn't end within {child.spec.grace:.0f} s; killed")
            child.popen.kill()
            child.popen.wait()
        _say(f"{child.spec.name}: stopped")


def _say(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}", flush=True)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Never two supervisors for one clone. The lock goes with the process, however it ends."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another supervisor looks after this clone's cluster")
        yield


def main() -> None:
    layout = Layout.current()
    with _alone(layout.base / _LOCK):
        Supervisor.of(layout).run()


if __name__ == "__main__":
    main()
