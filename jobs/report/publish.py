"""The result of a load test: printed, stored with its page, and as a last message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobs.load.results import Result
from jobs.load.storage import report_place, store, store_page
from jobs.report.page import render
from jobs.report.terminal import summary
from release.load_test import verdict_line

if TYPE_CHECKING:
    from jobs.progress import Progress

# Errors in the termination message, whose size is limited.
ERRORS_SHOWN = 5


def publish(document: dict[str, Any], address: str | None, progress: Progress) -> tuple[str, bool]:
    """Print the result, store it and its page at `address`; the last message, and if it passed.

    Raises LoadError where it can't be stored.
    """
    result = Result.of(document, "result")
    print(summary(result), flush=True)
    if address:
        store(document, address)
        progress.log(f"result: {address}")
        report = report_place(address)
        store_page(render(result), report)
        progress.log(f"report: {report}")
    return _message(result), result.verdict == "pass"


def _message(result: Result) -> str:
    lines = [verdict_line(result.model, result.verdict), *map(str, result.objectives)]
    if result.why:
        lines.append(result.why)
    lines.extend(f"{each.count} × {each.error}" for each in result.errors[:ERRORS_SHOWN])
    return "\n".join(lines)
