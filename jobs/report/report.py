"""`python -m jobs report`: a page from a result.json file."""

from __future__ import annotations

from pathlib import Path

from jobs.load.results import Result, ResultError
from jobs.load.storage import report_place
from jobs.report.page import render

__all__ = ["report"]


def report(result: Path, previous: Path | None, out: Path | None) -> str:
    """Write the page and return its path. Raises ResultError where a file can't be used."""
    written = render(_read(result), _read(previous) if previous else None)
    place = out or Path(report_place(str(result)))
    try:
        place.write_text(written, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{place}: {error.strerror}") from error
    return str(place)


def _read(path: Path) -> Result:
    try:
        return Result.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from error
