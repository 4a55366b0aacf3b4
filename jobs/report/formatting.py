"""Texts and figures of a result, for the terminal and for the page. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING

from jobs.report.reference import REFERENCE

if TYPE_CHECKING:
    from jobs.load.results import Result
    from jobs.load.verdict import Finding

__all__ = [
    "HEADLINES",
    "NAMES",
    "Comparison",
    "Objective",
    "change",
    "compare",
    "differences",
    "lateness",
    "milliseconds",
    "objectives",
    "reasons",
    "share",
]

NAMES = {"p99_9": "p99.9", "p99_99": "p99.99"}
OBJECTIVES = {
    "p99_ms": "99th percentile",
    "success_ratio": "successful answers",
    "rate_ratio": "rate that was kept",
}
HEADLINES = {
    "pass": "every objective is met",
    "fail": "an objective is missed",
    "invalid": "the run is not usable",
}


@dataclass(frozen=True)
class Objective:
    """An objective, formatted."""

    name: str
    found: str
    wanted: str
    met: bool


@dataclass(frozen=True)
class Comparison:
    """A latency from the schedule and from the actual send, beside those of two other runs."""

    name: str
    found: float | None
    service: float | None
    previous: float | None
    reference: float | None

    @property
    def against_reference(self) -> str:
        """From the actual sends, as the latencies of the reference."""
        return change(self.service, self.reference)

    @property
    def against_previous(self) -> str:
        return change(self.found, self.previous)


def milliseconds(value: float | None) -> str:
    """Three or four digits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.{2 if value < 100 else 1 if value < 1000 else 0}f}"


def share(value: float) -> str:
    """A ratio in per cent, rounded down, so that only 1 reads 100 %."""
    return f"{floor(value * 10_000 + 1e-6) / 100:.2f} %"


def change(found: float | None, other: float | None) -> str:
    """Difference of `found` from `other` in per cent; empty where one of them is missing."""
    if found is None or not other:
        return ""
    text = f"{(found / other - 1) * 100:+.0f} %".replace("-", "−")
    return "±0 %" if text in ("+0 %", "−0 %") else text


def lateness(result: Result) -> str:
    """The load generator's own share of the latencies from the schedule."""
    found = result.lateness_ms
    shown = {"mean": found.mean, "p50": found.p50, "p99": found.p99, "max": found.max}
    return ", ".join(f"{name} {milliseconds(value)} ms" for name, value in shown.items())


def objectives(result: Result) -> list[Objective]:
    """All objectives, met or not."""
    return [_objective(each) for each in result.objectives]


def reasons(result: Result) -> list[str]:
    """Reasons of the verdict, a sentence each."""
    if result.why:
        return [result.why]
    return [
        f"{each.name}: {each.found}, wanted {each.wanted}."
        for each in objectives(result)
        if not each.met
    ]


def compare(result: Result, previous: Result | None) -> list[Comparison]:
    """Every latency of this run."""
    return [
        Comparison(
            NAMES.get(name, name),
            found,
            result.service_ms.by_name[name],
            previous.latency_ms.by_name[name] if previous else None,
            REFERENCE.get(name),
        )
        for name, found in result.latency_ms.by_name.items()
    ]


def differences(result: Result, previous: Result) -> list[str]:
    """Differences that make two results less comparable, a sentence each."""
    found = [
        f"{name}: {result.facts.get(name, 'none')} here, {previous.facts.get(name, 'none')} before."
        for name in ("model", "format", "target", "asked", "payloads", "address")
        if result.facts.get(name) != previous.facts.get(name)
    ]
    if result.facts["release"] == previous.facts["release"]:
        found.append("Both runs tested the same release.")
    return found


def _objective(found: Finding) -> Objective:
    latency = found.name.endswith("_ms")
    wanted = f"{found.wanted:g} ms" if latency else f"{found.wanted * 100:g} %"
    return Objective(
        OBJECTIVES.get(found.name, found.name),
        f"{milliseconds(found.found)} ms" if latency else share(found.found),
        f"{found.bound} {wanted}",
        found.met,
    )
