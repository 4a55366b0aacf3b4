"""Networks of the definitions that come with the project."""

from __future__ import annotations

import torch
from torch import nn


# mypy does not follow torch, whose types would cost minutes.
class TutorialNetwork(nn.Module):  # type: ignore[misc]
    """PyTorch's CIFAR-10 tutorial: N×3×32×32 float32 -> N×classes float32, logits."""

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


class ResidualNetwork(nn.Module):  # type: ignore[misc]
    """ResNet-20 for CIFAR-10: N×3×32×32 float32 -> N×classes float32, logits.

    Source: He et al., "Deep Residual Learning for Image Recognition" (2015), section 4.2, with
    1×1 convolutions where a shortcut changes its shape.
    """

    def __init__(self, classes: int = 10, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, kernel_size=3, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        blocks, channels = [], width
        for stage in range(3):
            for block in range(depth):
                stride = 2 if stage and not block else 1
                blocks.append(Block(channels, width << stage, stride))
                channels = width << stage
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(channels, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits of each image's classes."""
        features = self.blocks(torch.relu(self.stem_norm(self.stem(images))))
        logits: torch.Tensor = self.classify(features.mean((2, 3)))
        return logits


class Block(nn.Module):  # type: ignore[misc]
    """Two 3×3 convolutions beside a shortcut; a stride of 2 halves height and width."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, kernel_size=3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features of the next block."""
        changed = torch.relu(self.first_norm(self.first(features)))
        changed = self.second_norm(self.second(changed))
        return torch.relu(changed + self.shortcut(features))
