"""The search: coordinate search over settings, geometric search over rates. Pure."""

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
# The first step; each next one is squared until two rates enclose the result.
STEP, LARGEST_STEP = 1.25, 4.0
# A smaller gain is no reason to change a stack.
WORTHWHILE = 1.05


@dataclass(frozen=True)
class Measured:
    """A point with the highest rate (requests a second) that held; 0 if none did."""

    knobs: Knobs
    rate: float
    p99_ms: float
    trials: tuple[Trial, ...] = ()
    failure: str | None = None


def sweep(
    start: Knobs, stages: Sequence[Stage], measure: Callable[[Knobs, float], Measured]
) -> list[Measured]:
    """Measure points by coordinate search; return them all, the start first.

    Each stage changes its own settings of the best point so far, which finds the best point of the
    whole grid if stages don't interact. `measure` gets a point and a rate to begin with. If the
    start can't be measured, nothing else is tried.
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
    """The highest rate that holds, within a factor of `resolution`; 0 if `least` doesn't.

    The result was tried and held; the next higher rate that was tried did not.
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
    """The factor by which rates must differ to count as different."""
    return max(WORTHWHILE, resolution)


def confirmed(first: Measured, again: Measured) -> Measured:
    """The mean of two measurements of a point."""
    return Measured(
        first.knobs,
        (first.rate + again.rate) / 2,
        max(first.p99_ms, again.p99_ms),
        first.trials + again.trials,
        first.failure or again.failure,
    )


def winner(measured: Iterable[Measured], present: Knobs, apart: float) -> Measured | None:
    """Of the points within the factor `apart` of the best rate, the one with the fewest changes.

    None if no point held any rate.
    """
    held = [each for each in measured if each.rate and not each.failure]
    if not held:
        return None
    best = max(each.rate for each in held)
    equal = [each for each in held if each.rate * apart >= best]
    return min(equal, key=lambda each: (each.knobs.distance(present), -each.rate, each.p99_ms))
