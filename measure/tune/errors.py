"""What can go wrong, for the person at the terminal."""

from __future__ import annotations

__all__ = ["BenchError", "TuneError"]


class TuneError(Exception):
    """The sweep can't go on; says what happened and what to do."""


class BenchError(Exception):
    """These settings can't be served; the sweep goes on with others."""
