"""What goes wrong for the person at the terminal."""

from __future__ import annotations

__all__ = ["LocalError"]


class LocalError(Exception):
    """Its text is shown as it is: what happened, where, what to do next."""
