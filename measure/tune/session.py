"""A sweep as it runs: each point applied, settled, and driven to its highest rate."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from measure.tune.bench import targets
from measure.tune.errors import BenchError
from measure.tune.neighbours import Clock, others
from measure.tune.search import Measured, confirmed, highest_rate, margin, sweep, winner
from measure.tune.trial import judged
from measure.tune.vegeta import attack, settle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config import ModelSettings
    from jobs.load.vegeta import Target
    from measure.tune.bench import Bench
    from measure.tune.grid import Stage
    from measure.tune.knobs import Knobs
    from measure.tune.trial import Trial
    from release.schema import Release

__all__ = ["BATCH", "Plan", "Session"]

# A rate at which anything that deserves the name of a service answers.
FIRST_RATE = 200
# Of load that nobody looks at: connections are made, caches filled, the network optimised.
WARM_SECONDS = 1.0
# Images in a request, where clients batch themselves.
BATCH = 8


@dataclass(frozen=True)
class Plan:
    """How thoroughly: seconds a trial, how near to the highest rate, how often a miss is tried
    again (a neighbour's burst is no property of a setting), and whether the best are measured
    twice."""

    seconds: float
    resolution: float
    attempts: int
    confirm: bool

    @classmethod
    def of(cls, *, quick: bool, seconds: float | None) -> Plan:
        """As the command line asks."""
        if quick:
            return cls(seconds or 1.0, 1.2, 1, False)
        return cls(seconds or 3.0, 1.05, 2, True)


@dataclass
class Session:
    """Points are measured one after another on a bench; `settings` are the stack's own.

    `others`: for each trial, how many cores of this machine everybody else kept busy.
    """

    bench: Bench
    settings: ModelSettings
    release: Release
    plan: Plan
    vegeta: str
    others: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def run(self, stages: Sequence[Stage], present: Knobs) -> list[Measured]:
        """All points, the present one first; the best and the present measured twice."""
        found = {each.knobs: each for each in sweep(present, stages, self.measure)}
        best = winner(found.values(), present, margin(self.plan.resolution))
        if self.plan.confirm and best:
            fastest = max(found.values(), key=lambda each: each.rate)
            # Once each: these three are often fewer.
            for knobs in dict.fromkeys((fastest.knobs, best.knobs, present)):
                self._say(f"again: {knobs}")
                found[knobs] = confirmed(found[knobs], self.measure(knobs, found[knobs].rate))
        return list(found.values())

    def in_batches(self, points: Iterable[Measured]) -> list[Measured]:
        """The same points once more, by requests of `BATCH` images each."""
        return [self.measure(each.knobs, each.rate / BATCH, BATCH) for each in points]

    def measure(self, knobs: Knobs, hint: float, batch: int = 1) -> Measured:
        """A point's highest rate under the objective; a failure is a result."""
        self._say(str(knobs) if batch == 1 else f"{knobs}, {batch} images a request")
        trials: list[Trial] = []
        objectives = self.settings.perf.objectives
        try:
            payloads = targets(self.bench.apply(knobs.on(self.settings)), self.release, batch)
            settle(payloads[0], objectives.p99_ms)
            self._trial(payloads, FIRST_RATE // batch, WARM_SECONDS)
            settle(payloads[0], objectives.p99_ms)
            rate = highest_rate(
                lambda asked: self._holds(payloads, asked, trials),
                hint or FIRST_RATE / batch,
                self.plan.resolution,
            )
        except BenchError as error:
            self._say(f"  left out: {error}")
            return Measured(knobs, 0, 0, tuple(trials), str(error))
        p99 = min((each.p99_ms for each in trials if each.held and each.asked == rate), default=0)
        return Measured(knobs, rate, p99, tuple(trials))

    def _holds(self, payloads: Sequence[Target], rate: int, trials: list[Trial]) -> bool:
        for _ in range(self.plan.attempts):
            trials.append(self._trial(payloads, rate, self.plan.seconds))
            self._say(f"  {trials[-1]}")
            if trials[-1].held:
                return True
            settle(payloads[0], self.settings.perf.objectives.p99_ms)
        return False

    def _trial(self, payloads: Sequence[Target], rate: int, seconds: float) -> Trial:
        began = Clock.read()
        with tempfile.TemporaryDirectory(prefix="tune-") as folder:
            hits = attack(self.vegeta, payloads, rate, seconds, Path(folder))
        self.others.append(others(began, Clock.read()))
        return judged(hits, rate, seconds, self.settings.perf.objectives)

    def _say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", file=sys.stderr, flush=True)
