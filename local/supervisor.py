"""Keeps the cluster's processes running until it gets SIGTERM: `python -m local.supervisor`.

A process starts when all that it needs is healthy, at the first start and after a crash alike. One
that ends is restarted, with a back-off. The supervisor signals only processes that it has started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import state
from local.api import ApiError
from local.definition import processes, tasks
from local.errors import LocalError
from local.layout import ROOT, Layout
from local.processes import leashed, locked, start_mark

if TYPE_CHECKING:
    from local.spec import Process, Task

__all__ = ["Supervisor"]

_TICK = 0.1
_CHECK_AGAIN, _CHECK_AGAIN_WHEN_HEALTHY = 0.2, 2.0
_MAX_BACK_OFF = 8.0
_RESET_BACK_OFF = 60.0
"""The back-off of a process that ran so long begins from the start."""
_HUNG = 60.0
"""A process that is unhealthy for so long, though all it needs is healthy, is restarted."""
_LOG_LIMIT = 20_000_000
_LOCK = "supervisor.lock"


@dataclass
class Child:
    """A process and its state."""

    spec: Process
    popen: subprocess.Popen[bytes] | None = None
    started: str = ""
    since: float = 0.0
    healthy: bool = False
    unhealthy_since: float = 0.0
    deaths: int = 0
    restarts: int = 0
    start_at: float = 0.0
    check: Future[bool] | None = None
    check_at: float = 0.0

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
class TaskRun:
    """A task and its state."""

    spec: Task
    run: Future[None] | None = None
    done: bool = False
    error: str = ""
    start_at: float = 0.0


class Supervisor:
    """Runs in one thread; health checks and tasks run in a pool of threads."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.children = {spec.name: Child(spec) for spec in processes(layout)}
        self.tasks = {spec.name: TaskRun(spec) for spec in tasks(layout)}
        self.pool = ThreadPoolExecutor(16)
        self.stopping = False
        self.written: state.State | None = None

    def run(self) -> None:
        for death in (signal.SIGTERM, signal.SIGINT):
            signal.signal(death, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        while not self.stopping:
            # Stop if the clone, or its `.local`, was removed.
            self.stopping = not (self.layout.base / _LOCK).exists()
            self._update_children()
            self._update_tasks()
            if not self.stopping:
                self._write()
            time.sleep(_TICK)
        self._stop_all()
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.layout.state.unlink(missing_ok=True)

    def _on_signal(self, number: int, _frame: object) -> None:
        _log(f"{signal.Signals(number).name}: stopping")
        self.stopping = True

    def _is_healthy(self, name: str) -> bool:
        if name in self.tasks:
            return self.tasks[name].done
        return self.children[name].healthy

    def _may_start(self, needs: tuple[str, ...], at: float) -> bool:
        return time.monotonic() >= at and all(map(self._is_healthy, needs))

    def _update_children(self) -> None:
        for child in self.children.values():
            if child.popen and child.popen.poll() is not None:
                self._note_end(child, child.popen.returncode)
            if child.popen is None and self._may_start(child.spec.needs, child.start_at):
                self._start(child)
            if child.popen:
                self._check(child)
                self._restart_if_hung(child, child.popen)

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
                # So that it doesn't get the Ctrl-C of a terminal.
                start_new_session=True,
            )
        child.started = start_mark(child.popen.pid) or ""
        child.since, child.unhealthy_since = time.time(), time.monotonic()
        child.check_at, child.healthy, child.check = 0.0, False, None
        _log(f"{spec.name}: started, pid {child.popen.pid}")

    def _note_end(self, child: Child, status: int) -> None:
        lived = time.time() - child.since
        child.deaths = 1 if lived > _RESET_BACK_OFF else child.deaths + 1
        wait = min(0.25 * 2 ** (child.deaths - 1), _MAX_BACK_OFF)
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        _log(f"{child.spec.name}: ended after {lived:.0f} s ({cause}); again in {wait:g} s")
        child.popen, child.check, child.healthy = None, None, False
        child.restarts += 1
        child.start_at = time.monotonic() + wait

    def _check(self, child: Child) -> None:
        now = time.monotonic()
        if child.check and child.check.done():
            healthy = child.check.exception() is None and child.check.result()
            if child.healthy != healthy:
                _log(f"{child.spec.name}: {'healthy' if healthy else 'does not answer'}")
                child.unhealthy_since = now
            child.healthy, child.check = healthy, None
            child.check_at = now + (_CHECK_AGAIN_WHEN_HEALTHY if healthy else _CHECK_AGAIN)
        if child.check is None and now >= child.check_at:
            child.check = self.pool.submit(child.spec.healthy)

    def _restart_if_hung(self, child: Child, popen: subprocess.Popen[bytes]) -> None:
        now = time.monotonic()
        if child.healthy or not all(map(self._is_healthy, child.spec.needs)):
            child.unhealthy_since = now
        elif now - child.unhealthy_since > _HUNG:
            _log(f"{child.spec.name}: no answer for {_HUNG:.0f} s; restarting it")
            popen.kill()
            child.unhealthy_since = now

    def _update_tasks(self) -> None:
        for task in self.tasks.values():
            if task.run and task.run.done():
                error = task.run.exception()
                task.run, task.done = None, error is None
                task.error = f"{type(error).__name__}: {error}" if error else ""
                task.start_at = time.monotonic() + 1.0
                if isinstance(error, ApiError | LocalError):
                    task.error = str(error)
                _log(f"{task.spec.name}: {task.error or 'done'}")
            ready = self._may_start(task.spec.needs, task.start_at)
            if not task.done and task.run is None and ready:
                task.run = self.pool.submit(task.spec.run)

    def _write(self) -> None:
        now = state.State(
            pid=os.getpid(),
            started=start_mark(os.getpid()) or "",
            edition=os.environ.get(state.EDITION, ""),
            processes={name: child.record() for name, child in self.children.items()},
            tasks={n: "done" if t.done else t.error or "waiting" for n, t in self.tasks.items()},
        )
        if now != self.written:
            state.write(self.layout, now)
            self.written = now

    def _stop_all(self) -> None:
        """Stop processes before those that they need."""
        left = {name: child for name, child in self.children.items() if child.popen}
        while left:
            needed = {need for child in left.values() for need in self._all_needs(child.spec)}
            wave = [child for name, child in left.items() if name not in needed]
            # The node first: the API server and the controllers must note the ends of its pods.
            wave = [child for child in wave if child.spec.death != signal.SIGKILL] or wave
            _stop(wave)
            left = {name: child for name, child in left.items() if child not in wave}

    def _all_needs(self, spec: Process) -> set[str]:
        through = [self.tasks[n].spec.needs for n in spec.needs if n in self.tasks]
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
            _log(f"{child.spec.name}: didn't end within {child.spec.grace:.0f} s; killed")
            child.popen.kill()
            child.popen.wait()
        _log(f"{child.spec.name}: stopped")


def _log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}", flush=True)


def main() -> None:
    layout = Layout.current()
    try:
        with locked(layout.base / _LOCK, "the supervisor of this clone runs already", wait=False):
            Supervisor(layout).run()
    except LocalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
