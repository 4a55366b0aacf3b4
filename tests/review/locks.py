"""Locks for tests."""

from __future__ import annotations

from typing import Any

from tests.review.stacks import short

Entry = dict[str, Any]


def entry(digest: str, **changes: Any) -> Entry:
    """A release of `digits`, proven on dev."""
    return {
        "digest": digest,
        "accuracy": 0.9639,
        "held_out": 360,
        "torch": "2.12.1",
        "model": {"bytes": 257398, "sha256": short(digest)},
        "inputs": [{"name": "INPUT__0", "dtype": "FP32", "dims": [3, 32, 32]}],
        "outputs": [{"name": "OUTPUT__0", "dtype": "FP32", "dims": [10]}],
        "labels": [str(digit) for digit in range(10)],
        "preprocessing": {"width": 32, "height": 32, "mean": [0.5] * 3, "std": [0.5] * 3},
        "proven": {"dev": {"verdict": "pass", "objectives": {"p99Ms": 50.0}}},
    } | changes


def lock(**models: list[Entry]) -> dict[str, Any]:
    """A whole lock; of each model the current release first."""
    return {"schema": 1, "models": models}
