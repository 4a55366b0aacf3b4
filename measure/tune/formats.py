"""The formats of a model, compared with a stack's settings on the local Triton."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from jobs.report.terminal import columns
from local.triton.server import NOTE
from measure.releases import artefact, build
from measure.tune.deployment import TuneError
from measure.tune.knobs import Knobs, in_format
from measure.tune.local_triton import LocalTriton
from measure.tune.session import BATCH, Session
from release.schema import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure.tune.search import Measured
    from measure.tune.session import Plan
    from measure.tune.stack import StackFile

__all__ = ["compare", "table"]


def compare(file: StackFile, cores: int, plan: Plan, vegeta: str) -> str:
    """Build the model in each format, measure the stack's settings, and return a table.

    Raises TuneError where no format can be built or served, and what building raises.
    """
    found: dict[str, list[Measured]] = {}
    with tempfile.TemporaryDirectory(prefix="tune-") as folder:
        for format in get_args(Format):
            release = build(file.model, format, Path(folder) / format)
            found[format] = _measure(file, release, format, cores, plan, vegeta)
    return table(found)


def _measure(
    file: StackFile, folder: Path, format: Format, cores: int, plan: Plan, vegeta: str
) -> list[Measured]:
    """The highest rate with one row a request, and with several where the release has a batch."""
    settings = in_format(file.settings, format, threads=Knobs.of(file.settings).threads)
    made = artefact(folder, settings)
    with LocalTriton(made, cores, settings.predictor.env) as deployment:
        session = Session(deployment, settings, made.release, plan, vegeta)
        points = [session.measure(Knobs.of(settings, format), 0)]
        if made.release.batching and settings.triton.max_batch_size >= BATCH:
            points += session.in_batches(points)
    return points


def table(found: dict[str, list[Measured]]) -> str:
    """A row for each format: requests a second, their p99, rows a second in batches."""
    head = ("", "requests/s", "p99 ms", f"rows/s, {BATCH} a request")
    body = [(format, *_figures(points)) for format, points in found.items()]
    return "\n".join((*(line.rstrip() for line in columns([head, *body])), f"on {NOTE}"))


def _figures(points: Sequence[Measured]) -> tuple[str, str, str]:
    first, *batched = points
    if first.failure:
        raise TuneError(first.failure)
    reached = f"{first.rate:.0f}" if first.rate else "none"
    p99 = f"{first.p99_ms:.1f}" if first.rate else ""
    return reached, p99, "".join(f"{each.rate * BATCH:.0f}" for each in batched)
