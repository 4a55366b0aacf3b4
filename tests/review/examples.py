"""A comment for each kind of change, in docs/review.

`.venv/bin/python -m tests.review.examples` writes them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from release.lock import Lock
from review.__main__ import PRICES
from review.comment import comment
from review.cost import Prices
from review.preview import Preview
from review.reading import read
from tests.review.locks import entry, handler, lock
from tests.review.stacks import Pods, Setting, preview, short, stack

DOCS = Path(__file__).parents[2] / "docs" / "review"
FIRST, SECOND = short("first"), short("second")
DIGITS = Setting(digest=FIRST, predictor=Pods(high=3), transformer=Pods(memory="1Gi", high=3))
ON_GPU = replace(DIGITS, gpu="nvidia-l4", predictor=Pods(cpu="4", memory="8Gi", low=2, high=8))
LOCK = lock(digits=[entry(FIRST)])
BETTER = lock(digits=[entry(SECOND, metrics={"accuracy": 0.9722}), entry(FIRST)])
WIDER = lock(
    digits=[
        entry(
            SECOND,
            metrics={"accuracy": 0.9519},
            inputs=[{"name": "INPUT__0", "dtype": "FP32", "dims": [3, 64, 64]}],
            image={"width": 64, "height": 64, "mean": [0.5] * 3, "std": [0.5] * 3},
            proven={},
        ),
        entry(FIRST),
    ]
)
_CODE = {"words.txt": "rain", "handler.py": "first"}
HANDLED = lock(digits=[entry(FIRST, handler=handler(**_CODE))])
REWRITTEN = lock(
    digits=[
        entry(
            SECOND,
            metrics={"accuracy": 0.9639, "f1": 0.91},
            handler=handler(lower=False, **{"words.json": "rain", "handler.py": "second"}),
        ),
        *HANDLED["models"]["digits"],
    ]
)
BACK = lock(digits=[entry(FIRST), entry(SECOND, metrics={"accuracy": 0.9722})])


@dataclass(frozen=True)
class Example:
    """The input of a comment; by default the lock does not change."""

    preview: dict[str, Any]
    lock: dict[str, Any] = field(default_factory=lambda: LOCK)
    base: dict[str, Any] = field(default_factory=lambda: LOCK)


def _moved(new: Setting, *, old: Setting = DIGITS, retain: bool = True) -> dict[str, Any]:
    return preview(stack(old, retain=retain), stack(new, retain=retain))


RELEASED = replace(DIGITS, digest=SECOND)
CANARY = replace(DIGITS, canary=(SECOND, 20))
DIAGNOSTICS = (
    {
        "severity": "error",
        "message": "error: releases that can't be deployed:\n"
        "  digits: models.lock.json has no release of digits; "
        "run: python -m model build digits --pin\n",
    },
    {"severity": "warning", "message": "warning: verification is switched off\n"},
)
EXAMPLES = {
    "first-deployment": Example(preview({}, stack(DIGITS)), base=lock()),
    "no-change": Example(preview(stack(DIGITS), stack(DIGITS))),
    "new-release": Example(_moved(RELEASED), BETTER),
    "new-handler": Example(_moved(RELEASED), REWRITTEN, HANDLED),
    "incompatible-release": Example(_moved(replace(RELEASED, tensors="3, 64, 64")), WIDER),
    "rollback": Example(_moved(DIGITS, old=RELEASED), BACK, BETTER),
    "canary-started": Example(_moved(CANARY), BETTER, BETTER),
    "canary-promoted": Example(_moved(RELEASED, old=CANARY), BETTER, BETTER),
    "cpu-to-gpu": Example(_moved(ON_GPU)),
    "replicas-and-cost": Example(
        _moved(replace(ON_GPU, predictor=Pods(cpu="4", memory="8Gi", low=4, high=16)), old=ON_GPU)
    ),
    "http-to-grpc": Example(_moved(replace(DIGITS, grpc=True))),
    "mode-change": Example(_moved(replace(DIGITS, mode="Standard"))),
    "bucket-and-model-removed": Example(
        preview(stack(DIGITS, retain=False), stack(bucket=False)), lock()
    ),
    "failed-preview": Example({"diagnostics": list(DIAGNOSTICS)}),
}


def render(example: Example) -> str:
    """The comment for stack prod with the project's prices."""
    return comment(
        "prod",
        Preview.model_validate(example.preview),
        Lock.from_json(json.dumps(example.lock).encode()),
        Lock.from_json(json.dumps(example.base).encode()),
        read(PRICES, Prices, "price table"),
    )


def main() -> None:
    """Write all of them."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for name, example in EXAMPLES.items():
        (DOCS / f"{name}.md").write_text(render(example))


if __name__ == "__main__":
    main()
