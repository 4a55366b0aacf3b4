"""A load test's result for the terminal: what the page says, in lines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.report import words
from jobs.report.seed import SEED_WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.load.results import Result

__all__ = ["table"]

CHARACTERS = 90


def table(result: Result) -> str:
    """Objectives, latencies beside the seed's, answers and errors."""
    rate = f"{result.achieved_rate:.2f}/s of {result.asked_rate:g}/s asked"
    lines = [
        f"{result.requests:,} requests, {rate}, {result.throughput:.2f}/s answered with 200",
        "",
        *_columns([("objective", "found", "wanted", ""), *_objectives(result)]),
        "",
        *_columns([("ms", "found", "from send", "seed", ""), *_latencies(result)]),
        f"seed: {SEED_WORDS}",
        "",
        *_columns([("status", "answers"), *((code, f"{n:,}") for code, n in result.statuses)]),
        *(f"{times:,} × {error[:CHARACTERS]}" for error, times in result.errors),
    ]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def _objectives(result: Result) -> list[tuple[str, ...]]:
    return [
        (each.name, each.found, each.wanted, "met" if each.met else "MISSED")
        for each in words.objectives(result)
    ]


def _latencies(result: Result) -> list[tuple[str, ...]]:
    return [
        (
            each.name,
            *(words.milliseconds(ms) for ms in (each.found, each.service, each.seed)),
            each.against_seed,
        )
        for each in words.compared(result, None)
    ]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
