"""One run of the benchmark: all rounds of each model, on this machine."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.samples import read_release
from measure.bench.serving.generators import build
from measure.bench.serving.loads import Saturation
from measure.bench.serving.machine import describe
from measure.bench.serving.results import cell
from measure.bench.serving.runner import Runner
from measure.bench.serving.servers import running
from release.files import RELEASE_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from measure.bench.serving.figures import Figures
    from measure.bench.serving.results import Key, Results
    from measure.bench.serving.runner import Turn

__all__ = ["minutes", "session"]

# Of each turn, for the warm-up and for reading results.
OVERHEAD_SECONDS = 0.8
# Of each subject of a model: its start, its first answers and its end.
START_SECONDS = 6
# Above this load other processes disturb the measurement.
QUIET_LOAD = 0.5


def session(
    steps: Sequence[Sequence[Turn]],
    rounds: int,
    results: Results,
    store: Callable[[Results], None],
) -> Results:
    """Measure; return `results` updated with this run, which `store` gets after each round."""
    build()
    run, machine = datetime.now(UTC).isoformat(timespec="seconds"), describe()
    if machine.load > QUIET_LOAD:
        print(f"other processes use this machine (load {machine.load}): figures will be noisy")
    print(f"about {minutes(steps, rounds):.1f} minutes", flush=True)
    for model, own in groupby(steps, lambda step: step[0].step.model):
        found: dict[Key, list[Figures | float]] = {}
        for measured in _rounds(model, list(own), rounds):
            for key, got in measured:
                found.setdefault(key, []).append(got)
            cells = {key: cell(run, runs) for key, runs in found.items()}
            results = results.merged(run, machine, cells)
            store(results)
    return results


def _rounds(
    model: str, steps: Sequence[Sequence[Turn]], rounds: int
) -> Iterator[list[tuple[Key, Figures | float]]]:
    """Measure a model; the figures of each round."""
    subjects = list(dict.fromkeys(turn.subject for step in steps for turn in step))
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running(model, subjects, Path(folder)) as (release, servers),
    ):
        runner = Runner(servers, read_release(release / RELEASE_JSON), Path(folder))
        for subject in subjects:
            runner.prepare(subject)
        for number in range(rounds):
            measured = []
            for turn, got in runner.round(steps, number):
                measured.append((turn.key, got))
                print(f"{number + 1}/{rounds} {turn.key}: {_brief(got)}", flush=True)
            yield measured


def minutes(steps: Sequence[Sequence[Turn]], rounds: int) -> float:
    """About how many minutes a run takes."""
    started = {(turn.step.model, turn.subject.name) for step in steps for turn in step}
    each = 0.0
    for turn in (turn for step in steps for turn in step):
        load = turn.step.load
        probes = load.steps + 1 if isinstance(load, Saturation) else 1
        each += probes * load.seconds + OVERHEAD_SECONDS
    return (START_SECONDS * len(started) + rounds * each) / 60


def _brief(got: Figures | float) -> str:
    if isinstance(got, float):
        return f"no more than {got:.0f}/s"
    return f"mean {got.mean_ms:.2f} ms, p99 {got.p99_ms:.2f}, {got.throughput:.0f}/s"
