"""Results of the benchmark: the key "serving" of measure/bench/results.json."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import floor, log10
from typing import TYPE_CHECKING, Any

from measure.bench.results import medians
from measure.bench.serving.figures import Figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from measure.bench.serving.machine import Machine

__all__ = ["SERVING", "Cell", "Group", "Key", "Results", "cell", "read", "written"]

SERVING = "serving"
# Model, load and payload.
Group = tuple[str, str, str]
DIGITS = 4


@dataclass(frozen=True, order=True)
class Key:
    """A load with a payload of a subject that serves a model."""

    model: str
    load: str
    payload: str
    subject: str

    def __str__(self) -> str:
        return f"{self.model}/{self.load}/{self.payload}/{self.subject}"


@dataclass(frozen=True)
class Cell:
    """Medians over the rounds of a run, and the range of the means and p99s.

    `run` is the start of the run; only cells of one run are compared. Without figures the subject
    could not keep the rate; `capacity` is the highest throughput that it reached.
    """

    run: str
    rounds: int
    figures: Figures | None
    mean_ms_range: tuple[float, float] = (0.0, 0.0)
    p99_ms_range: tuple[float, float] = (0.0, 0.0)
    capacity: float = 0.0


@dataclass(frozen=True)
class Results:
    """Cells, and the machine of each of their runs."""

    cells: Mapping[Key, Cell] = field(default_factory=dict)
    machines: Mapping[str, Machine | dict[str, Any]] = field(default_factory=dict)

    def merged(self, run: str, machine: Machine, cells: Mapping[Key, Cell]) -> Results:
        """Replace cells by those of a run; drop runs without cells."""
        kept = {**self.cells, **cells}
        runs = {each.run for each in kept.values()}
        machines = {**self.machines, run: machine}
        return Results(kept, {name: machines[name] for name in machines if name in runs})

    def groups(self) -> list[Group]:
        """Models, loads and payloads, in the order of measurement."""
        return list(dict.fromkeys((key.model, key.load, key.payload) for key in self.cells))


def cell(run: str, found: Sequence[Figures | float]) -> Cell:
    """Combine the rounds of a run: medians if most rounds have figures, else the capacity."""
    figures = [each for each in found if isinstance(each, Figures)]
    capacities = [each for each in found if isinstance(each, float)]
    if len(figures) <= len(capacities):
        return Cell(run, len(found), None, capacity=_short(max(capacities, default=0.0)))
    means, p99s = ([each.mean_ms for each in figures], [each.p99_ms for each in figures])
    return Cell(
        run,
        len(figures),
        _rounded(medians(figures)),
        (_short(min(means)), _short(max(means))),
        (_short(min(p99s)), _short(max(p99s))),
    )


def read(document: Mapping[str, Any]) -> Results:
    """Read what `written` returns; an empty document has no results."""
    cells = dict(map(_cell, document.get("cells", ())))
    return Results(cells, document.get("machines", {}))


def written(results: Results) -> dict[str, Any]:
    """The results as a JSON object."""
    machines = {
        run: machine if isinstance(machine, dict) else asdict(machine)
        for run, machine in results.machines.items()
    }
    cells = [asdict(key) | asdict(each) for key, each in results.cells.items()]
    return {"machines": machines, "cells": cells}


def _cell(given: Mapping[str, Any]) -> tuple[Key, Cell]:
    item = dict(given)
    key = Key(*(item.pop(name) for name in ("model", "load", "payload", "subject")))
    figures = item.pop("figures")
    if figures:
        shares = tuple(figures["distribution_ms"])
        figures = Figures(**{**figures, "distribution_ms": shares})
    for name in ("mean_ms_range", "p99_ms_range"):
        item[name] = tuple(item[name])
    return key, Cell(**item, figures=figures)


def _rounded(figures: Figures) -> Figures:
    whole = {
        name: _short(value) for name, value in asdict(figures).items() if isinstance(value, float)
    }
    return replace(figures, **whole, distribution_ms=_shorts(figures.distribution_ms))


def _shorts(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(map(_short, values))


def _short(value: float) -> float:
    """Round to significant digits, so that changes of the file are short."""
    if not value:
        return 0.0
    return round(value, DIGITS - 1 - floor(log10(abs(value))))
