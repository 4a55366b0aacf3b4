"""What a file of `model/definitions/` defines: a network, example inputs, and whatever else it has.

    definition = Definition(network=MyNetwork, examples=my_examples)

The file's name is the model's, with `-` for `_`. A folder in place of a file may have more beside
its `__init__.py`: `weights.safetensors`, and `handler/` with handler.py and what that reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import torch

    from release.schema import Format, ImageInput

    Batch: TypeAlias = tuple[torch.Tensor | npt.NDArray[Any] | list[str], ...]

__all__ = ["Definition", "Pictures", "Trained"]


@dataclass(frozen=True)
class Pictures:
    """Example inputs of an image model: pictures as files (PNG, JPEG), and the label of each."""

    files: Sequence[bytes]
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Trained:
    """What a training found: metrics on `held_out` items, and where its data are from."""

    metrics: Mapping[str, float]
    held_out: int = 0
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A model.

    `network` makes the network, `examples` its example inputs: batches of two rows or more, each a
    tuple in the order of `forward`'s arguments. Dimensions that differ between the batches vary.
    Without `batching` there are no rows: each example is a whole call.

    `train` trains the network in place, on `--data` or on data of its own; `python -m model train`
    writes the weights that it leaves. `labels` are those of the first output, or by the output's
    index. `exchanges` are V1 requests for the handler, each a list of instances, whose predictions
    the release records. `parameters` are the handler's.
    """

    network: Callable[[], torch.nn.Module]
    examples: Callable[[], Sequence[Batch] | Pictures]
    image: ImageInput | None = None
    labels: Sequence[str] | Mapping[int, Sequence[str]] = ()
    train: Callable[[torch.nn.Module, Path | None], Trained] | None = None
    batching: bool = True
    format: Format = "torchscript"
    exchanges: Sequence[Sequence[Any]] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
