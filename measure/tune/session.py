"""A running sweep: each point is deployed, warmed up, and driven to its highest rate."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.load.vegeta import Attack, run_attack
from jobs.samples import sample_targets
from measure.procfs import CpuTimes, other_cores
from measure.tune.deployment import DeployError, wait_until_fast
from measure.tune.search import Measured, confirmed, highest_rate, margin, sweep, winner
from measure.tune.trial import judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.config import ModelSettings
    from jobs.samples import Target
    from measure.tune.deployment import Deployment
    from measure.tune.grid import Stage
    from measure.tune.knobs import Knobs
    from measure.tune.trial import Trial
    from release.schema import Release

__all__ = ["BATCH", "Plan", "Session"]

# Every service should hold this rate.
FIRST_RATE = 200
# A load that is not measured makes connections, fills caches, optimises the network.
WARM_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0
# Images in a request of a client that batches itself.
BATCH = 8


@dataclass(frozen=True)
class Plan:
    """Seconds of a trial, precision of the highest rate as a factor, attempts at a rate (another
    process may disturb one), and whether the best points are measured twice."""

    seconds: float
    resolution: float
    attempts: int
    confirm: bool

    @classmethod
    def of(cls, *, quick: bool, seconds: float | None) -> Plan:
        """The plan for options of the command line."""
        if quick:
            return cls(seconds or 1.0, 1.2, 1, False)
        return cls(seconds or 3.0, 1.05, 2, True)


@dataclass
class Session:
    """Measures points one after another; `settings` are the stack's own.

    `others` has the cores that other processes used during each trial.
    """

    deployment: Deployment
    settings: ModelSettings
    release: Release
    plan: Plan
    vegeta: str
    others: list[float] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def run(self, stages: Sequence[Stage], present: Knobs) -> list[Measured]:
        """Measure all points, the present one first; the best and the present one twice."""
        found = {each.knobs: each for each in sweep(present, stages, self.measure)}
        best = winner(found.values(), present, margin(self.plan.resolution))
        if self.plan.confirm and best:
            fastest = max(found.values(), key=lambda each: each.rate)
            # Often two or all three are the same point.
            for knobs in dict.fromkeys((fastest.knobs, best.knobs, present)):
                self._log(f"again: {knobs}")
                found[knobs] = confirmed(found[knobs], self.measure(knobs, found[knobs].rate))
        return list(found.values())

    def in_batches(self, points: Iterable[Measured]) -> list[Measured]:
        """Measure points with requests of `BATCH` images each."""
        return [self.measure(each.knobs, each.rate / BATCH, BATCH) for each in points]

    def measure(self, knobs: Knobs, hint: float, batch: int = 1) -> Measured:
        """Find a point's highest rate within the objectives; a DeployError is a result."""
        self._log(str(knobs) if batch == 1 else f"{knobs}, {batch} images a request")
        trials: list[Trial] = []
        try:
            address = self.deployment.apply(knobs.on(self.settings, self.release.format))
            targets = sample_targets(
                address.url, self.release, batch=batch, host=address.host_header
            )
            self._wait_until_fast(targets)
            self._trial(targets, FIRST_RATE // batch, WARM_SECONDS)
            self._wait_until_fast(targets)
            rate = highest_rate(
                lambda asked: self._holds(targets, asked, trials),
                hint or FIRST_RATE / batch,
                self.plan.resolution,
            )
        except DeployError as error:
            self._log(f"  left out: {error}")
            return Measured(knobs, 0, 0, tuple(trials), str(error))
        p99 = min((each.p99_ms for each in trials if each.held and each.asked == rate), default=0)
        return Measured(knobs, rate, p99, tuple(trials))

    def _holds(self, targets: Sequence[Target], rate: int, trials: list[Trial]) -> bool:
        for _ in range(self.plan.attempts):
            trials.append(self._trial(targets, rate, self.plan.seconds))
            self._log(f"  {trials[-1]}")
            if trials[-1].held:
                return True
            self._wait_until_fast(targets)
        return False

    def _trial(self, targets: Sequence[Target], rate: int, seconds: float) -> Trial:
        before = CpuTimes.read()
        attack = Attack(seconds, rate, timeout_seconds=TIMEOUT_SECONDS)
        with tempfile.TemporaryDirectory(prefix="tune-") as folder:
            hits = run_attack(targets, attack, Path(folder), program=self.vegeta)
        self.others.append(other_cores(before, CpuTimes.read()))
        return judge(hits, rate, seconds, self.settings.perf.objectives)

    def _wait_until_fast(self, targets: Sequence[Target]) -> None:
        wait_until_fast(targets[0], self.settings.perf.objectives.p99_ms, TIMEOUT_SECONDS)

    def _log(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:6.1f} s] {text}", file=sys.stderr, flush=True)
