"""Networks of any signature: tensors of any type and shape in, functions of each row out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from hypothesis import strategies as st

from model.definition import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = {
    "BOOL": torch.bool,
    "UINT8": torch.uint8,
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "FP16": torch.float16,
    "FP32": torch.float32,
    "FP64": torch.float64,
}
ROWS = 5
# Sizes of the dimensions that vary, in one example after the other.
SIZES = (3, 2)


@dataclass(frozen=True)
class Input:
    """`dims` without the batch; -1 varies."""

    dtype: str
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Output:
    """`how`: the input itself (`same`), the sum of its row (`sum`), or that in 2 × 3 (`wide`)."""

    dtype: str
    source: int
    how: str


@dataclass(frozen=True)
class Network:
    """A signature."""

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    batching: bool

    def definition(self) -> Definition:
        """A definition with two batches, or two calls, whose varying dimensions differ."""
        return Definition(
            network=lambda: Module(self), examples=self._examples, batching=self.batching
        )

    def _examples(self) -> list[tuple[torch.Tensor, ...]]:
        return [
            tuple(self._example(wanted, size) for wanted in self.inputs)
            for size in (SIZES if any(-1 in wanted.dims for wanted in self.inputs) else SIZES[:1])
        ]

    def _example(self, wanted: Input, size: int) -> torch.Tensor:
        shape = [size if dim == -1 else dim for dim in wanted.dims]
        shape = [ROWS, *shape] if self.batching else shape
        # Sums of these are exact in each type.
        return torch.randint(0, 2, shape).to(TYPES[wanted.dtype])


class Module(torch.nn.Module):
    """The network of a signature."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.wanted = network

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        made = tuple(self._output(output, inputs) for output in self.wanted.outputs)
        return made if len(made) > 1 else made[0]

    def _output(self, output: Output, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        x, batch = inputs[output.source], self.wanted.batching
        if output.how != "same":
            x = x.to(torch.float32)
            x = x.flatten(1).sum(1) if batch and x.dim() > 1 else x if batch else x.sum().reshape(1)
        if output.how == "wide":
            x = x.reshape(-1, 1, 1).expand(-1, 2, 3) if batch else x.reshape(1, 1).expand(2, 3)
        return x.to(TYPES[output.dtype])


def networks() -> st.SearchStrategy[Network]:
    """Up to three inputs and outputs; scalars with a batch only."""
    return st.booleans().flatmap(_networks)


def _networks(batching: bool) -> st.SearchStrategy[Network]:
    types, dims = st.sampled_from(sorted(TYPES)), st.sampled_from((1, 2, 3, -1))
    shapes = st.lists(dims, min_size=0 if batching else 1, max_size=3).map(tuple)
    inputs = st.lists(st.builds(Input, types, shapes), min_size=1, max_size=3).map(tuple)

    def whole(inputs: tuple[Input, ...]) -> st.SearchStrategy[Network]:
        sources = st.integers(0, len(inputs) - 1)
        output = st.builds(Output, types, sources, st.sampled_from(("same", "sum", "wide")))
        outputs = st.lists(output, min_size=1, max_size=3).map(tuple)
        return st.builds(Network, st.just(inputs), outputs, st.just(batching))

    return inputs.flatmap(whole)
