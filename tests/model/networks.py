"""Networks that the tests of formats export, some of them in a process of their own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from model import formats
from model.formats import Signature
from release.schema import Tensor, digest

__all__ = ["TEXT", "Function", "Text", "text"]

TEXT = Signature(
    (Tensor("INPUT__0", "INT64", (-1,)), Tensor("INPUT__1", "INT64", (-1,))),
    (Tensor("OUTPUT__0", "FP32", (3,)), Tensor("OUTPUT__1", "INT64", (1,), scalar=True)),
)


class Function(nn.Module):
    """A network whose forward() is a function, beside a layer of its own."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


class Text(nn.Module):
    """ids and mask, int64 [batch, length] -> scores float32 [batch, 3], best int64 [batch]."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.places = nn.Embedding(512, 8)
        self.norm = nn.LayerNorm(8)
        self.classify = nn.Linear(8, 3)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.arange(ids.shape[1], device=ids.device)
        features = self.norm(self.words(ids) + self.places(places)) * mask.unsqueeze(2)
        scores = self.classify(features.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))
        return scores, scores.argmax(1)


def text(rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of Text."""
    ids = np.random.default_rng(rows * length).integers(0, 50, (rows, length))
    mask = np.ones_like(ids)
    mask[0, length // 2 + 1 :] = 0
    return ids, mask


def main(folder: Path) -> None:
    """Export Text in every format into a folder; prints the digests."""
    torch.manual_seed(0)
    network = Text().eval()
    for format in ("torchscript", "onnx", "aoti"):
        exported = formats.module(format).export(network, formats.values(text(2, 6)), TEXT)
        (folder / format).write_bytes(exported.content)
        print(format, digest(exported.content))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
