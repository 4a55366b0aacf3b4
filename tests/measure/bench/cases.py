"""Results as a run would leave them, for what is made of them."""

from __future__ import annotations

from measure.bench.serving.figures import SHARES, Figures
from measure.bench.serving.machine import Machine
from measure.bench.serving.results import Cell, Group, Key, Results
from measure.bench.serving.subjects import SUBJECTS

__all__ = ["MACHINE", "RUN", "figures", "results"]

RUN = "2026-11-24T20:00:00+00:00"
MACHINE = Machine("a processor", 2, 4.0, "Linux 6.1", "3.11.7", 0.1, {"vegeta": "v12"})


def figures(mean: float = 2.0, throughput: float = 100.0) -> Figures:
    """With percentiles from the mean to four times as much."""
    shares = tuple(mean * (1 + 3 * share / 100) for share in SHARES)
    return Figures(throughput, 1.0, mean, mean, shares, 1.0, 2.0, 60.0, 500.0)


def results(*groups: Group, run: str = RUN) -> Results:
    """A cell of every subject in each group; the mean of the n-th subject is n ms."""
    cells = {
        Key(*group, subject.name): Cell(run, 3, figures(float(number), 1000.0 / number))
        for group in groups
        for number, subject in enumerate(SUBJECTS, 1)
    }
    return Results(cells, {run: MACHINE})
