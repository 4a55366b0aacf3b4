"""A text encoder of BERT's size, 109 million parameters, with random weights.

Source of the architecture: Devlin et al., "BERT" (2018), base size; here the normalisation comes
before each sublayer, and the answer is the mean over the tokens.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from model.definition import Definition

VOCABULARY, WIDTH, LAYERS, HEADS, LONGEST = 30_522, 768, 12, 12, 512


class Layer(nn.Module):
    """Self-attention and two dense layers: N×length×768 -> the same."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.dense = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, tokens: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
        """`allowed`, N×1×1×length bool: the tokens that may be attended to."""
        parts = self.query_key_value(self.norm(tokens)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        tokens = tokens + self.project(found.transpose(1, 2).flatten(2))
        changed: torch.Tensor = tokens + self.dense(tokens)
        return changed


class Encoder(nn.Module):
    """Token ids and mask, N×length int64 each -> N×768 float32."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.positions = nn.Embedding(LONGEST, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The mean over the tokens whose mask is 1."""
        # A slice, not torch.arange: tracing would record the device of an arange.
        tokens = self.words(ids) + self.positions.weight[: ids.shape[1]]
        allowed = mask.bool()[:, None, None, :]
        for layer in self.layers:
            tokens = layer(tokens, allowed)
        weights = mask[:, :, None].to(tokens.dtype)
        mean: torch.Tensor = (self.norm(tokens) * weights).sum(1) / weights.sum(1)
        return mean


def examples() -> list[tuple[torch.Tensor, ...]]:
    """Two batches of different lengths, so that the length may vary; the rows' ends are masked."""
    batches = []
    for rows, length in ((2, 12), (3, 32)):
        ids = torch.randint(VOCABULARY, (rows, length))
        mask = torch.ones_like(ids)
        mask[-1, length // 2 :] = 0
        batches.append((ids, mask))
    return batches


definition = Definition(network=Encoder, examples=examples)
