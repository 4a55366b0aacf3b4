"""The outcome of a sweep: a table for the terminal, and JSON. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.triton.server import NOTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure.tune.knobs import Knobs
    from measure.tune.search import Measured

__all__ = ["LOCAL", "Outcome", "document", "table"]

SCHEMA = 1
# The value of `bench` for this machine's Triton.
LOCAL = "local Triton"
# Mean cores of all trials.
DISTURBED = 0.25


@dataclass(frozen=True)
class Outcome:
    """The results of a sweep. `facts` are its conditions.

    `batched` are the present point and the winner with requests of several images.
    """

    facts: dict[str, Any]
    objective_ms: float
    points: Sequence[Measured]
    present: Knobs
    winner: Measured | None
    batched: Sequence[Measured] = ()

    @property
    def now(self) -> Measured:
        """The stack's present point."""
        return next(each for each in self.points if each.knobs == self.present)

    @property
    def disturbed(self) -> bool:
        """Whether other processes used so much CPU that the rates are not usable."""
        return bool(self.facts["others_cores"] > DISTURBED)

    @property
    def keeps(self) -> bool:
        """Whether the present point is the winner."""
        return self.winner is not None and self.winner.knobs == self.present


def table(outcome: Outcome) -> str:
    """Points by rate, highest first; `*` marks the winner, `=` the present point."""
    head = ("", "instances × threads", "batching", "requests/s", "p99 ms", "")
    ordered = sorted(outcome.points, key=lambda each: -each.rate)
    rows = [head, *(_row(each, outcome) for each in ordered)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column in (3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    for each in outcome.batched:
        images = each.rate * outcome.facts["batch"]
        lines.append(
            f"{outcome.facts['batch']} images a request, {each.knobs}: {each.rate:.0f} requests/s, "
            f"{images:.0f} images/s"
        )
    if outcome.disturbed:
        busy = outcome.facts["others_cores"]
        lines.append(f"other processes used {busy:.1f} cores of this machine meanwhile")
    if outcome.facts["bench"] == LOCAL:
        lines.append(f"measured on {NOTE}")
    return "\n".join(lines)


def document(outcome: Outcome) -> str:
    """build/tune/MODEL.json."""
    winner = outcome.winner
    return json.dumps(
        {
            "schema": SCHEMA,
            **outcome.facts,
            "objective_p99_ms": outcome.objective_ms,
            "present": asdict(outcome.present),
            "winner": asdict(winner.knobs) if winner else None,
            "points": [asdict(each) for each in outcome.points],
            "batched": [asdict(each) for each in outcome.batched],
        },
        indent=1,
        ensure_ascii=False,
    )


def _row(point: Measured, outcome: Outcome) -> tuple[str, ...]:
    knobs = point.knobs
    mark = "*" if outcome.winner and knobs == outcome.winner.knobs else ""
    mark += "=" if knobs == outcome.present else ""
    batching = str(knobs).partition(", ")[2]
    reached = f"{point.rate:.0f}" if point.rate else "none"
    p99 = f"{point.p99_ms:.1f}" if point.rate else ""
    note = point.failure.splitlines()[0][:60] if point.failure else _limit(point)
    return mark, f"{knobs.instances} × {knobs.threads}", batching, reached, p99, note


def _limit(point: Measured) -> str:
    """Whether the generator, not Triton, limited the rate."""
    missed = [each for each in point.trials if not each.held and each.asked > point.rate]
    nearest = min(missed, key=lambda each: each.asked, default=None)
    return nearest.why if nearest and "kept" in nearest.why else ""
