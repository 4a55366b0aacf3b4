"""bench/results.json: what was measured last, each benchmark under a key of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parent / "results.json"


def read() -> dict[str, Any]:
    """Empty before anything was measured."""
    found: dict[str, Any] = json.loads(PATH.read_text()) if PATH.exists() else {}
    return found


def keep(key: str, found: dict[str, Any]) -> None:
    """The others stay as they are."""
    PATH.write_text(json.dumps(read() | {key: found}, indent=1, sort_keys=True) + "\n")
