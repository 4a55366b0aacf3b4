"""Where circles, squares and triangles are in a picture: a detector whose handler lists objects."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model.definition import Definition, Pictures, Trained
from model.images import inputs
from release.schema import ImageInput

from .pictures import LABELS, Shape, draw

EXAMPLES = Path(__file__).parent / "examples"
SIDE, GRID = 224, 7
# ImageNet's normalisation. A picture keeps its proportions: its margins are padded.
IMAGE = ImageInput(
    width=SIDE,
    height=SIDE,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    resize="pad",
    background=(124, 116, 104),
)


class Boxes(nn.Module):
    """N×3×224×224 float32 -> boxes N×49×4 float32, scores N×49 float32, classes N×49 int64.

    Each of the 7×7 cells of the picture has one box, for an object whose centre is in the cell.
    Boxes are left, top, right, bottom, as shares of the input's side.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((3, 8), (8, 16), (16, 32), (32, 48), (48, 64)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU())
        self.head = nn.Conv2d(64, 5 + len(LABELS), 1)
        steps = torch.arange(GRID).float()
        cells = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1).flatten(0, 1)
        self.register_buffer("cells", cells, persistent=False)

    def raw(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Centre and size of each cell's box, the logit of its score, those of its classes."""
        found = self.head(self.features(images)).flatten(2).transpose(1, 2)
        centre = (found[..., :2].sigmoid() + self.cells) / GRID
        return centre, found[..., 2:4].sigmoid(), found[..., 4], found[..., 5:]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Boxes, scores and classes; the handler chooses among them."""
        centre, size, score, classes = self.raw(images)
        boxes = torch.cat([centre - size / 2, centre + size / 2], -1)
        return boxes, score.sigmoid(), classes.argmax(-1)


def train(network: Boxes, data: Path | None) -> Trained:
    """Train on drawn pictures; a minute or two. Raises ValueError if `data` is given."""
    if data is not None:
        raise ValueError("boxes draws its own pictures; leave --data out")
    random = np.random.default_rng(0)
    images, targets = batch(random, 1600)
    epochs, size = 20, 32
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 3e-3, total_steps=epochs * len(images) // size
    )
    for epoch in range(epochs):
        order = torch.from_numpy(random.permutation(len(images)))
        for part in order.split(size):
            optimizer.zero_grad()
            error = loss(network.raw(images[part]), targets[part])
            error.backward()
            optimizer.step()
            schedule.step()
        print(f"  epoch {epoch + 1}/{epochs}  loss {error.item():.4f}", flush=True)
    network.eval()
    images, targets = batch(random, 200)
    with torch.no_grad():
        _, scores, classes = network(images)
    there, found = targets[..., 0] > 0, scores > 0.5
    return Trained(
        metrics={
            "precision": share(there[found]),
            "recall": share(found[there]),
            "accuracy": share((classes == targets[..., 5])[there]),
        },
        held_out=len(images),
        provenance={"data": "drawn by boxes/pictures.py"},
    )


def share(right: torch.Tensor) -> float:
    """How many of them are true."""
    return round(right.float().mean().item(), 4)


def batch(random: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and for each cell [is there an object, centre x, y, width, height, class]."""
    drawn = [draw(random, SIDE, SIDE) for _ in range(count)]
    pixels = np.stack([np.asarray(image) for image, _ in drawn])
    targets = torch.zeros(count, GRID * GRID, 6)
    for row, (_, shapes) in zip(targets, drawn, strict=True):
        for shape in shapes:
            cell, values = target(shape)
            row[cell] = values
    return inputs(pixels, IMAGE), targets


def target(shape: Shape) -> tuple[int, torch.Tensor]:
    """The cell of a shape's centre, and what the network should find there."""
    left, top, right, bottom = (each / SIDE for each in shape.box)
    x, y = (left + right) / 2, (top + bottom) / 2
    cell = int(y * GRID) * GRID + int(x * GRID)
    return cell, torch.tensor([1, x, y, right - left, bottom - top, shape.label])


def loss(raw: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
    """Score of all cells; box and class of those with an object."""
    centre, size, score, classes = raw
    there = targets[..., 0] > 0
    found = functional.binary_cross_entropy_with_logits(score, targets[..., 0])
    place = functional.l1_loss(torch.cat([centre, size], -1)[there], targets[there][:, 1:5])
    return (
        20 * found
        + 20 * place
        + functional.cross_entropy(classes[there], targets[there][:, 5].long())
    )


def examples() -> Pictures:
    """Pictures as clients have them: other sizes, JPEG and PNG, one with an EXIF orientation."""
    return Pictures([path.read_bytes() for path in sorted(EXAMPLES.iterdir())])


def instance(picture: bytes) -> dict[str, dict[str, str]]:
    """A picture in a V1 request."""
    return {"image_bytes": {"b64": base64.b64encode(picture).decode()}}


definition = Definition(
    network=Boxes,
    examples=examples,
    image=IMAGE,
    train=train,
    exchanges=[[instance(picture) for picture in examples().files]],
    parameters={"threshold": 0.5, "overlap": 0.5},
)
