"""One run of the benchmark: all rounds, on this machine."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.samples import read_release
from measure.bench.serving.generators import build
from measure.bench.serving.loads import Saturation
from measure.bench.serving.machine import describe
from measure.bench.serving.results import cell
from measure.bench.serving.runner import Runner
from measure.bench.serving.servers import running
from measure.bench.serving.subjects import RELEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from measure.bench.serving.figures import Figures
    from measure.bench.serving.results import Key, Results
    from measure.bench.serving.runner import Turn

__all__ = ["minutes", "session"]

# Of each turn, for the warm-up and for reading results.
OVERHEAD_SECONDS = 0.8
START_SECONDS = 25
# Above this load other processes disturb the measurement.
QUIET_LOAD = 0.5


def session(
    steps: Sequence[Sequence[Turn]],
    rounds: int,
    results: Results,
    store: Callable[[Results], None],
) -> Results:
    """Measure; return `results` updated with this run, which `store` gets after each round."""
    subjects = list(dict.fromkeys(turn.subject for step in steps for turn in step))
    build(grpc=any(subject.form == "grpc" for subject in subjects))
    run, machine = datetime.now(UTC).isoformat(timespec="seconds"), describe()
    if machine.load > QUIET_LOAD:
        print(f"other processes use this machine (load {machine.load}): figures will be noisy")
    print(f"about {minutes(steps, rounds):.1f} minutes", flush=True)
    found: dict[Key, list[Figures | float]] = {}
    with tempfile.TemporaryDirectory() as folder, running(subjects, Path(folder)) as servers:
        runner = Runner(servers, read_release(RELEASE), Path(folder))
        for subject in subjects:
            runner.prepare(subject)
        for number in range(rounds):
            for turn, got in runner.round(steps, number):
                found.setdefault(turn.key, []).append(got)
                print(f"{number + 1}/{rounds} {turn.key}: {_brief(got)}", flush=True)
            cells = {key: cell(run, runs) for key, runs in found.items()}
            results = results.merged(run, machine, cells)
            store(results)
    return results


def minutes(steps: Sequence[Sequence[Turn]], rounds: int) -> float:
    """About how many minutes a run takes."""
    each = 0.0
    for turn in (turn for step in steps for turn in step):
        load = turn.step.load
        probes = load.steps + 1 if isinstance(load, Saturation) else 1
        each += probes * load.seconds + OVERHEAD_SECONDS
    return (START_SECONDS + rounds * each) / 60


def _brief(got: Figures | float) -> str:
    if isinstance(got, float):
        return f"no more than {got:.0f}/s"
    return f"mean {got.mean_ms:.2f} ms, p99 {got.p99_ms:.2f}, {got.throughput:.0f}/s"
