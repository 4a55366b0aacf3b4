"""The price of a house: a network with weights from elsewhere, in houses.safetensors."""

from __future__ import annotations

import torch
from torch import nn

from model.definition import Definition


class Houses(nn.Module):
    """Rooms, area in m², age in years, distance in km: N×4 float32 -> price, N float32."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, houses: torch.Tensor) -> torch.Tensor:
        """In thousands."""
        price: torch.Tensor = self.layers(houses)[:, 0]
        return price


def examples() -> list[tuple[torch.Tensor]]:
    """One batch of eight houses."""
    least, most = torch.tensor([1.0, 20, 0, 0]), torch.tensor([8.0, 250, 120, 60])
    return [(least + torch.rand(8, 4) * (most - least),)]


definition = Definition(network=Houses, examples=examples)
