"""Programs exported without this project, for the tests of imports: `elsewhere.py FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Ratings(nn.Module):
    """float32 [batch, 4], int64 [batch] -> float32 [batch, 3], int64 [batch]"""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Linear(4, 8)
        self.categories = nn.Embedding(10, 8)
        self.layer = nn.LSTM(8, 3, batch_first=True)

    def forward(
        self, features: torch.Tensor, categories: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        both = self.features(features) + self.categories(categories)
        scores = self.layer(both.unsqueeze(1))[0][:, 0]
        return scores, scores.argmax(1)


def main(folder: Path) -> None:
    """Write a file of each kind, samples, and the answers to them."""
    torch.manual_seed(0)
    network = Ratings().eval()
    inputs = torch.randn(3, 4), torch.tensor([1, 2, 9])
    torch.jit.save(torch.jit.trace(network, inputs), folder / "model.pt")
    torch.save(network, folder / "pickled.pt")
    batch = torch.export.Dim("rows")
    shapes = ({0: batch}, {0: batch})
    torch.export.save(
        torch.export.export(network, inputs, dynamic_shapes=shapes), folder / "model.pt2"
    )
    torch.export.save(torch.export.export(network, inputs), folder / "fixed.pt2")
    names = {"input_names": ["features", "categories"], "output_names": ["scores", "best/index"]}
    torch.onnx.export(network, inputs, folder / "fixed.onnx", verbose=False, **names)
    torch.onnx.export(
        network,
        inputs,
        folder / "model.onnx",
        dynamic_shapes=shapes,
        external_data=False,
        verbose=False,
        **names,
    )
    features, categories = (item.numpy() for item in inputs)
    np.savez(folder / "named.npz", categories=categories, features=features)
    np.savez(folder / "numbered.npz", INPUT__0=features, INPUT__1=categories)
    with torch.no_grad():
        np.savez(folder / "answers.npz", *(item.numpy() for item in network(*inputs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
