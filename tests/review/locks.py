"""Locks for tests."""

from __future__ import annotations

from typing import Any

from tests.review.stacks import short

Entry = dict[str, Any]


def entry(digest: str, **changes: Any) -> Entry:
    """A release of `digits`, proven on dev."""
    return {
        "digest": digest,
        "format": "torchscript",
        "metrics": {"accuracy": 0.9639},
        "held_out": 360,
        "torch": "2.12.1",
        "batching": True,
        "model": {"bytes": 257398, "sha256": short(digest)},
        "inputs": [{"name": "INPUT__0", "dtype": "FP32", "dims": [3, 32, 32]}],
        "outputs": [
            {"name": "OUTPUT__0", "dtype": "FP32", "dims": [10], "labels": list("0123456789")}
        ],
        "image": {"width": 32, "height": 32, "mean": [0.5] * 3, "std": [0.5] * 3},
        "handler": None,
        "provenance": {"data": "scikit-learn's digits"},
        "proven": {"dev": {"verdict": "pass", "objectives": {"p99Ms": 50.0}}},
    } | changes


def handler(lower: bool = True, **files: str) -> Entry:
    """A handler; each file's content stands for its digest."""
    return {
        "files": {
            path: {"sha256": short(content), "bytes": len(content)}
            for path, content in files.items()
        },
        "parameters": {"lower": lower},
    }


def lock(**models: list[Entry]) -> dict[str, Any]:
    """A whole lock; of each model the current release first."""
    return {"schema": 2, "models": models}
