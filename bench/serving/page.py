"""docs/benchmark.md and its plots, of nothing but the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bench.serving.results import Results


def make(results: Results, docs: Path) -> None:
    """Write them."""
