"""How the best point is found: a staged search over settings, a geometric one over rates. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from measure.tune.grid import Stage
    from measure.tune.knobs import Knobs
    from measure.tune.trial import Trial

__all__ = ["Measured", "confirmed", "highest_rate", "margin", "sweep", "winner"]

LEAST, MOST = 10, 100_000
# First step away from the start, squared until the answer is between two rates.
STEP, LARGEST_STEP = 1.25, 4.0
# Less than this is no reason to change a stack.
WORTHWHILE = 1.05


@dataclass(frozen=True)
class Measured:
    """A point, its trials, and the highest rate (requests a second) that held; 0: none did."""

    knobs: Knobs
    rate: float
    p99_ms: float
    trials: tuple[Trial, ...] = ()
    failure: str | None = None


def sweep(
    start: Knobs, stages: Sequence[Stage], measure: Callable[[Knobs, float], Measured]
) -> list[Measured]:
    """Every point that was measured, the start first.

    A coordinate search: each stage changes its own settings of the best point before it. It finds
    the best of the whole grid where stages don't interact. `measure` gets a point, and the best
    rate so far to begin with. Where the start can't be measured, nothing else is tried.
    """
    found = {start: measure(start, 0)}
    if found[start].failure:
        return list(found.values())
    best = found[start]
    for stage in stages:
        base = best.knobs
        if stage.batched and not base.dynamic_batching:
            continue
        for change in stage.changes:
            knobs = replace(base, **change)
            if knobs not in found:
                found[knobs] = measure(knobs, best.rate)
                best = max(best, found[knobs], key=lambda each: each.rate)
    return list(found.values())


def highest_rate(
    holds: Callable[[int], bool], start: float, resolution: float, least: int = LEAST
) -> int:
    """The highest rate that holds, within a factor of `resolution`; 0: not even the least does.

    Exact in that it was tried and held; the next higher that was tried did not.
    """
    low, high = 0, MOST + 1
    rate, step = min(max(round(start), least), MOST), STEP
    while not (low and high <= MOST):
        if holds(rate):
            low = rate
            if rate == MOST:
                return rate
            rate = min(max(ceil(rate * step), rate + 1), MOST)
        else:
            high = rate
            if rate == least:
                return 0
            rate = max(min(floor(rate / step), rate - 1), least)
        step = min(step * step, LARGEST_STEP)
    while high > low * resolution and high - low > 1:
        middle = min(max(round(sqrt(low * high)), low + 1), high - 1)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def margin(resolution: float) -> float:
    """By what factor rates must differ to be different."""
    return max(WORTHWHILE, resolution)


def confirmed(first: Measured, again: Measured) -> Measured:
    """A point measured twice: the mean of both."""
    return Measured(
        first.knobs,
        (first.rate + again.rate) / 2,
        max(first.p99_ms, again.p99_ms),
        first.trials + again.trials,
        first.failure or again.failure,
    )


def winner(measured: Iterable[Measured], present: Knobs, apart: float) -> Measured | None:
    """Of those whose rate is within the factor `apart` of the best, the one that changes least.

    None where no point held any rate.
    """
    held = [each for each in measured if each.rate and not each.failure]
    if not held:
        return None
    best = max(each.rate for each in held)
    equal = [each for each in held if each.rate * apart >= best]
    return min(equal, key=lambda each: (each.knobs.distance(present), -each.rate, each.p99_ms))
