"""The error that is shown to the person at the terminal."""

from __future__ import annotations

__all__ = ["LocalError"]


class LocalError(Exception):
    """Its text has what happened, where, and what to do next."""
