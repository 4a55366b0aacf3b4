"""Seeded training, which gives the same weights on every x86-64 machine."""

from __future__ import annotations

import os
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

# torch and MKL read these when they are imported: the same code path on every processor. Faster
# ones sum in another order, which gives other weights and so another release.
os.environ["ATEN_CPU_CAPABILITY"] = "default"
os.environ["MKL_CBWR"] = "COMPATIBLE"

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.definition import Dataset, Images, Pixels, Training
    from release.schema import Preprocessing


# Switching one-DNN off and on again causes it.
warnings.filterwarnings("ignore", message="TF32 acceleration", category=UserWarning)


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """One thread, deterministic kernels and a fixed seed; restores the settings afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.backends.mkldnn.flags(enabled=False, allow_tf32=False),
        ):
            torch.manual_seed(seed)
            yield
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


def tensor(pixels: Pixels, preprocessing: Preprocessing) -> torch.Tensor:
    """uint8 N×H×W×3 -> float32 N×3×H×W: to [0, 1], then (x - mean) / std for each channel."""
    scaled = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    return ((scaled - mean) / std).contiguous()


def train(
    network: torch.nn.Module, dataset: Dataset, preprocessing: Preprocessing, how: Training
) -> float:
    """Train in place; returns the accuracy on the held-out images, 0 to 1."""
    images = tensor(dataset.train.pixels, preprocessing)
    labels = torch.from_numpy(dataset.train.labels)
    steps = how.epochs * -(-len(images) // how.batch_size)
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=how.learning_rate,
        momentum=how.momentum,
        weight_decay=how.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.random.default_rng(how.seed)
    started = time.monotonic()
    held_out_accuracy = 0.0
    for epoch in range(1, how.epochs + 1):
        network.train()
        total = 0.0
        shuffled = torch.from_numpy(order.permutation(len(images)))
        for batch in shuffled.split(how.batch_size):
            optimizer.zero_grad()
            shifted = shift(images[batch], how.shift, order)
            loss = functional.cross_entropy(network(shifted), labels[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        network.eval()
        held_out_accuracy = accuracy(network, dataset.held_out, preprocessing)
        print(
            f"  epoch {epoch:2}/{how.epochs}  loss {total / len(images):.4f}  "
            f"held-out accuracy {held_out_accuracy:.1%}  {time.monotonic() - started:.0f} s",
            flush=True,
        )
    return held_out_accuracy


def shift(images: torch.Tensor, most: int, order: np.random.Generator) -> torch.Tensor:
    """Move a batch N×C×H×W at random by up to `most` pixels; the edge is repeated."""
    if not most:
        return images
    down, right = (int(value) for value in order.integers(0, 2 * most + 1, 2))
    height, width = images.shape[2:]
    padded = functional.pad(images, (most, most, most, most), mode="replicate")
    return padded[:, :, down : down + height, right : right + width]


def accuracy(network: torch.nn.Module, images: Images, preprocessing: Preprocessing) -> float:
    """Share of images whose highest logit is that of their label."""
    with torch.inference_mode():
        answers = [
            network(part).argmax(1) for part in tensor(images.pixels, preprocessing).split(1000)
        ]
    return float((torch.cat(answers).numpy() == images.labels).mean())
