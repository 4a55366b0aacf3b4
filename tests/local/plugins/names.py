"""Names that no other test uses."""

from __future__ import annotations

import itertools
import os

_numbers = itertools.count()


def fresh(prefix: str) -> str:
    """A name that was never given before."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"
