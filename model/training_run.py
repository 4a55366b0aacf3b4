"""`python -m model train`: the definition's training, and its weights on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from model import network, weights
from model.definition import Trained
from model.discovery import load
from model.errors import author_code
from release.schema import ReleaseError

if TYPE_CHECKING:
    from pathlib import Path

    from model.discovery import Found

__all__ = ["train"]


def train(found: Found, data: Path | None) -> Trained:
    """Train a definition's network, and write its weights. Raises ReleaseError."""
    definition = load(found)
    if definition.train is None:
        raise ReleaseError(
            f"{found.source}: the definition has no train; give it one, or put the weights into "
            f"{found.weights}"
        )
    torch.manual_seed(0)
    model = network.make(definition, found)
    with author_code("train()", found.path.parent):
        trained = definition.train(model, data)
    if not isinstance(trained, Trained):
        raise ReleaseError(
            f"train() returns a {type(trained).__name__}; allowed: Trained(metrics={{…}})"
        )
    weights.write(model, trained, found.weights)
    return trained
