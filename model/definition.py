"""What a module of `model/definitions/` defines: network, data, labels and preprocessing."""

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
    """Images for training, and held-out images for the accuracy and the samples."""

    train: Images
    held_out: Images


@dataclass(frozen=True)
class Training:
    """Parameters of the training: SGD with momentum and a cosine schedule."""

    epochs: int
    batch_size: int = 32
    learning_rate: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0
    # Each batch is moved at random by up to this many pixels, against overfitting on small sets.
    shift: int = 0


class Definition(Protocol):
    """The names that a module of `model/definitions/` has."""

    LABELS: tuple[str, ...]
    PREPROCESSING: Preprocessing
    TRAINING: Training
    network: Callable[[], torch.nn.Module]
    # Takes --data; returns the release's name, which depends on the data, and the data.
    load: Callable[[Path | None], tuple[str, Dataset]]
