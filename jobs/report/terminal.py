"""A load test's result for the terminal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.report import formatting
from jobs.report.reference import REFERENCE_TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.load.results import Result

__all__ = ["columns", "summary"]

CHARACTERS = 90


def summary(result: Result) -> str:
    """Objectives, latencies beside the published run's, answers and errors."""
    rate = f"{result.rate.achieved:.2f}/s of {result.asked.rate:g}/s asked"
    lines = [
        f"{result.requests:,} requests, {rate}, {result.rate.throughput:.2f}/s successful",
        "",
        *columns([("objective", "found", "wanted", ""), *_objectives(result)]),
        "",
        *columns([("ms", "found", "from send", "published", ""), *_latencies(result)]),
        f"the load generator's lateness, a part of found: {formatting.lateness(result)}",
        f"published: {REFERENCE_TEXT}",
        "",
        *columns([("status", "answers"), *((code, f"{n:,}") for code, n in result.statuses)]),
        *(f"{each.count:,} × {each.error[:CHARACTERS]}" for each in result.errors),
    ]
    return "\n".join(f"  {line}".rstrip() for line in lines)


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first column aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _objectives(result: Result) -> list[tuple[str, ...]]:
    return [
        (each.name, each.found, each.wanted, "met" if each.met else "MISSED")
        for each in formatting.objectives(result)
    ]


def _latencies(result: Result) -> list[tuple[str, ...]]:
    return [
        (
            each.name,
            *(formatting.milliseconds(ms) for ms in (each.found, each.service, each.reference)),
            each.against_reference,
        )
        for each in formatting.compare(result, None)
    ]
