"""Training of an image classifier: SGD with momentum, on a rate that rises and falls once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from model.images import inputs

if TYPE_CHECKING:
    from model.images import Images
    from release.schema import ImageInput

__all__ = ["Training", "accuracy", "train"]


@dataclass(frozen=True)
class Training:
    """Parameters of a training.

    Each image is moved at random by up to `shift` pixels in each direction, and with `flip` every
    second one is mirrored. `smoothing` is that of the labels.
    """

    epochs: int
    learning_rate: float
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    smoothing: float = 0.0
    shift: int = 0
    flip: bool = False
    seed: int = 0


def train(
    network: torch.nn.Module, images: Images, held_out: Images, image: ImageInput, how: Training
) -> float:
    """Train in place, on a GPU if there is one; returns the accuracy on the held-out images."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device, memory_format=torch.channels_last)
    order = np.random.default_rng(how.seed)
    padded = functional.pad(inputs(images.pixels, image), (how.shift,) * 4, mode="replicate")
    labels = torch.from_numpy(images.labels)
    steps = -(-len(labels) // how.batch_size)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=how.learning_rate,
        momentum=how.momentum,
        weight_decay=how.weight_decay,
        nesterov=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, how.learning_rate, epochs=how.epochs, steps_per_epoch=steps
    )
    started = time.monotonic()
    found = 0.0
    for epoch in range(1, how.epochs + 1):
        network.train()
        total = 0.0
        for batch in torch.from_numpy(order.permutation(len(labels))).split(how.batch_size):
            optimizer.zero_grad()
            rows = augmented(padded, batch, image, how, order)
            logits = network(rows.to(device, memory_format=torch.channels_last))
            loss = functional.cross_entropy(
                logits, labels[batch].to(device), label_smoothing=how.smoothing
            )
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        found = accuracy(network, held_out, image)
        print(
            f"  epoch {epoch:2}/{how.epochs}  loss {total / len(labels):.4f}  "
            f"held-out accuracy {found:.1%}  {time.monotonic() - started:.0f} s",
            flush=True,
        )
    network.to("cpu", memory_format=torch.contiguous_format)
    return found


def augmented(
    padded: torch.Tensor,
    batch: torch.Tensor,
    image: ImageInput,
    how: Training,
    order: np.random.Generator,
) -> torch.Tensor:
    """The images of a batch, each moved and mirrored at random."""
    places = order.integers(0, 2 * how.shift + 1, (len(batch), 2)).tolist()
    rows = torch.stack(
        [
            padded[index, :, down : down + image.height, right : right + image.width]
            for index, (down, right) in zip(batch.tolist(), places, strict=True)
        ]
    )
    if not how.flip:
        return rows
    mirrored = torch.from_numpy(order.random(len(batch)) < 1 / 2)
    return torch.where(mirrored[:, None, None, None], rows.flip(3), rows)


def accuracy(network: torch.nn.Module, images: Images, image: ImageInput) -> float:
    """Share of images whose highest logit is that of their label."""
    network.eval()
    device = next(network.parameters()).device
    with torch.inference_mode():
        answers = [
            network(part.to(device)).argmax(1).cpu()
            for part in inputs(images.pixels, image).split(1000)
        ]
    return float((torch.cat(answers).numpy() == images.labels).mean())
