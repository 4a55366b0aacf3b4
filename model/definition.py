"""What a file under `model/` gives: one model's network, data, labels and preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import torch

    from release.schema import Preprocessing

    Pixels: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Pixels, uint8, N×H×W×3 (RGB), and the index of each image's label, int64, N."""

    pixels: Pixels
    labels: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Images to learn from, and others, held out, to judge by."""

    train: Images
    held_out: Images


@dataclass(frozen=True)
class Training:
    """How a network is trained; plain SGD with momentum and a cosine schedule."""

    epochs: int
    batch_size: int = 32
    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0
    # Pixels by which batches are moved at random, so that a small set teaches more.
    shift: int = 0


class Definition(Protocol):
    """The module-level names that a model's file has."""

    LABELS: tuple[str, ...]
    PREPROCESSING: Preprocessing
    TRAINING: Training
    network: Callable[[], torch.nn.Module]
    # The name that the release may carry is decided by the data that it was trained on.
    load: Callable[[Path | None], tuple[str, Dataset]]
