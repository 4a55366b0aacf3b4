"""A network's weights in a safetensors file, with what its training found as metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_model, save_model

from release.schema import ReleaseError, digest

if TYPE_CHECKING:
    from pathlib import Path

    from model.definition import Trained

__all__ = ["Metadata", "load", "write"]

MOST_NAMES = 5


@dataclass(frozen=True)
class Metadata:
    """What the release says of the weights."""

    metrics: dict[str, float] = field(default_factory=dict)
    held_out: int = 0
    provenance: dict[str, str] = field(default_factory=dict)


def load(network: torch.nn.Module, path: Path) -> Metadata:
    """Load a file into a network. Raises ReleaseError, which names the weights that don't fit."""
    try:
        with safe_open(path, "pt") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
            text = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ReleaseError(
            f"{path}: {error}; allowed: a safetensors file, as save_model of safetensors.torch "
            "writes it"
        ) from error
    state = network.state_dict()
    wrong = [
        f"{key} {shape}, the network's is {list(state[key].shape)}"
        for key, shape in shapes.items()
        if key in state and list(state[key].shape) != shape
    ]
    if not wrong:
        # Of weights that share memory the file has one; torch says which ones are missing.
        missing, unexpected = load_model(network, path, strict=False)
        wrong += [f"{key} is missing" for key in sorted(missing)]
        wrong += [f"{key} is not in the network" for key in sorted(unexpected)]
    if wrong:
        more = f", and {len(wrong) - MOST_NAMES} more" if len(wrong) > MOST_NAMES else ""
        raise ReleaseError(
            f"{path}: {'; '.join(wrong[:MOST_NAMES])}{more}; allowed: the weights of network(), "
            "with its names and shapes"
        )
    _check_finite(network, str(path))
    return _metadata(text, path)


def _metadata(text: dict[str, str], path: Path) -> Metadata:
    try:
        metrics = {str(k): float(v) for k, v in json.loads(text.get("metrics", "{}")).items()}
        provenance = {str(k): str(v) for k, v in json.loads(text.get("provenance", "{}")).items()}
        held_out = int(text.get("held_out", "0"))
    except (ValueError, AttributeError, TypeError) as error:
        raise ReleaseError(
            f"{path}: metadata {text}: {error}; allowed: metrics and provenance, objects of JSON, "
            "and held_out, an integer"
        ) from error
    return Metadata(metrics, held_out, provenance | {"weights": digest(path.read_bytes())})


def write(network: torch.nn.Module, trained: Trained, path: Path) -> None:
    """Write the weights, the file whole or not at all. Raises ReleaseError if one isn't finite."""
    network.to("cpu")
    _check_finite(network, "the training")
    metadata = {
        "metrics": json.dumps(dict(trained.metrics), sort_keys=True),
        "held_out": str(trained.held_out),
        "provenance": json.dumps(dict(trained.provenance), sort_keys=True),
    }
    part = path.with_suffix(".part")
    try:
        save_model(network, str(part), metadata)
        # As git has it; safetensors writes for the owner only.
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check_finite(network: torch.nn.Module, where: str) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ReleaseError(
                f"{where}: weight {name} has NaN or infinite values; train again with a lower "
                "learning rate"
            )
