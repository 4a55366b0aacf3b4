"""The release's network, for the peers that have it in their own process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from measure.bench.serving.peers.pictures import FOLDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["infer", "load_network"]


def load_network() -> Any:
    """The release's TorchScript file."""
    return torch.jit.load(str(Path(os.environ[FOLDER], "model.pt")), map_location="cpu").eval()


def infer(network: Any, rows: NDArray[Any]) -> NDArray[Any]:
    """Scores [n, classes] of an array [n, 3, height, width]."""
    with torch.inference_mode():
        scores: NDArray[Any] = network(torch.from_numpy(rows)).numpy()
    return scores
