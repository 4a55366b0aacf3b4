"""The network of PyTorch's CIFAR-10 tutorial: two convolutions, three linear layers."""

from __future__ import annotations

import torch
from torch import nn


# mypy does not follow torch, whose types would cost minutes.
class TutorialNetwork(nn.Module):  # type: ignore[misc]
    """N×3×32×32 float32 -> N×classes float32, logits."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, kernel_size=5)
        self.second = nn.Conv2d(6, 16, kernel_size=5)
        self.pool = nn.MaxPool2d(kernel_size=2)
        self.hidden = nn.Linear(16 * 5 * 5, 120)
        self.narrow = nn.Linear(120, 84)
        self.classify = nn.Linear(84, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of each image's classes."""
        features = self.pool(torch.relu(self.first(images)))
        features = self.pool(torch.relu(self.second(features)))
        features = torch.relu(self.hidden(torch.flatten(features, 1)))
        logits: torch.Tensor = self.classify(torch.relu(self.narrow(features)))
        return logits
