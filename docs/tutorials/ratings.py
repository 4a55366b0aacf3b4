"""How many stars a visitor gives a film: two inputs, three outputs of different types."""

from __future__ import annotations

import torch
from torch import nn

from model.definition import Definition

FEATURES = 8
GENRES, COUNTRIES = 12, 30


class Ratings(nn.Module):
    """N×8 float32 and N×2 int64 -> N×5 float32, N int64 and N bool."""

    def __init__(self) -> None:
        super().__init__()
        self.genre = nn.Embedding(GENRES, 8)
        self.country = nn.Embedding(COUNTRIES, 8)
        self.layers = nn.Sequential(nn.Linear(FEATURES + 16, 32), nn.ReLU(), nn.Linear(32, 5))

    def forward(
        self, features: torch.Tensor, categories: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Probability of each number of stars, the likeliest number, whether to recommend it."""
        genre, country = self.genre(categories[:, 0]), self.country(categories[:, 1])
        probabilities = self.layers(torch.cat([features, genre, country], 1)).softmax(1)
        likeliest = probabilities.argmax(1) + 1
        return probabilities, likeliest, probabilities[:, 3:].sum(1) > 0.5


def examples() -> list[tuple[torch.Tensor, ...]]:
    """One batch of 16 visitors."""
    features = torch.randn(16, FEATURES)
    genres, countries = torch.randint(GENRES, (16,)), torch.randint(COUNTRIES, (16,))
    return [(features, torch.stack([genres, countries], 1))]


definition = Definition(network=Ratings, examples=examples)
