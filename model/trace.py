"""Tracing a network, and comparing the traced network with the eager one."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import torch

from release.schema import DTYPES, ReleaseError, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

Tensors = tuple[torch.Tensor, ...]
BATCH_SIZES = (1, 2, 7, 32)
# Rounding of float32 may differ; a branch that tracing lost differs by far more.
TOLERANCE = 1e-5
# torch's reader maps tensor data in place where it is aligned to this many bytes.
ALIGNMENT = 64
# The types that Triton's PyTorch backend takes.
V2_TYPES = {f"torch.{name}": dtype for dtype, name in DTYPES.items()}


def run(network: torch.nn.Module, inputs: Tensors) -> Tensors:
    """The network's outputs as a tuple; raises ReleaseError if Triton can't serve them."""
    with torch.no_grad():
        found = network(*inputs)
    answer = tuple(found) if isinstance(found, (tuple, list)) else (found,)
    for index, item in enumerate(answer):
        if not isinstance(item, torch.Tensor):
            raise ReleaseError(
                f"the network returns a {type(item).__name__} as output {index}; supported: "
                "a tensor, or a tuple or list of tensors"
            )
        if item.dim() < 2:
            shape = list(item.shape)
            raise ReleaseError(
                f"output {index} has shape {shape}: a scalar has no batch; supported: [batch, …]"
            )
    return answer


def signature(
    network: torch.nn.Module, inputs: Tensors
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Inputs and outputs, found by running the network on the first and on all of the examples.

    The first dimension of each input is the batch, of 2 or more. Raises ReleaseError.
    """
    one = tuple(item[:1] for item in inputs)
    many_out, one_out = run(network, inputs), run(network, one)
    batch = len(inputs[0])
    for index, (many, single) in enumerate(zip(many_out, one_out, strict=True)):
        if many.shape[0] != batch or single.shape[0] != 1:
            raise ReleaseError(
                f"output {index} has shape {list(many.shape)} for a batch of {batch}; supported: "
                "the batch as first dimension"
            )
    return (
        tuple(_tensor(f"INPUT__{i}", (item,)) for i, item in enumerate(inputs)),
        tuple(
            _tensor(f"OUTPUT__{i}", pair)
            for i, pair in enumerate(zip(many_out, one_out, strict=True))
        ),
    )


def _tensor(name: str, seen: Sequence[torch.Tensor]) -> Tensor:
    dtype = V2_TYPES.get(str(seen[0].dtype))
    if dtype is None:
        allowed = ", ".join(DTYPES.values())
        raise ReleaseError(f"{name} has dtype {seen[0].dtype}; supported: {allowed}")
    sizes = zip(*(item.shape[1:] for item in seen), strict=True)
    # A dimension that changes with the size of the batch varies.
    dims = tuple(group[0] if len(set(group)) == 1 else -1 for group in sizes)
    return Tensor(name, dtype, dims)


def trace(network: torch.nn.Module, held_out: Tensors) -> bytes:
    """A traced network as model.pt, checked against the eager one; raises ReleaseError.

    `held_out` are real inputs, enough for the largest of BATCH_SIZES.
    """
    network.eval()
    example = tuple(item[:2] for item in held_out)
    run(network, example)
    traced = torch.jit.trace(network, example, check_trace=False)
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    content = canonical(buffer.getvalue())
    compare(network, torch.jit.load(io.BytesIO(content)), held_out)
    return content


def compare(network: torch.nn.Module, traced: torch.nn.Module, held_out: Tensors) -> None:
    """Raises ReleaseError, with the place and the difference, if they differ on real inputs."""
    for size in BATCH_SIZES:
        for start in range(0, len(held_out[0]) - size + 1, max(size, len(held_out[0]) // 8)):
            batch = tuple(item[start : start + size] for item in held_out)
            pairs = zip(run(network, batch), run(traced, batch), strict=True)
            for index, (eager, found) in enumerate(pairs):
                where = f"traced and eager differ at batch size {size}: output {index}"
                if eager.shape != found.shape:
                    shapes = f"{list(found.shape)}, eager {list(eager.shape)}"
                    raise ReleaseError(f"{where} has shape {shapes}; {_REMEDY}")
                difference = difference_beyond(TOLERANCE, eager, found)
                if difference is not None:
                    raise ReleaseError(f"{where} by {difference:.3g}; {_REMEDY}")


def difference_beyond(tolerance: float, wanted: torch.Tensor, found: torch.Tensor) -> float | None:
    """The largest difference if it exceeds `tolerance` × the largest wanted value, or × 1."""
    if not wanted.numel():
        return None
    wanted, found = wanted.double(), found.double()
    difference: float = (wanted - found).abs().max().item()
    allowed: float = tolerance * max(1.0, wanted.abs().max().item())
    # A difference of NaN is beyond.
    return None if difference <= allowed else difference


_REMEDY = "tracing records one path: no branch or loop in forward() may depend on values or shapes"


def canonical(archive: bytes) -> bytes:
    """Remove what depends on the machine: the same weights and code give the same bytes.

    torch.jit.save adds the paths of source files (*.debug_pkl) and an identity made over them;
    neither is needed to load.
    """
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(made, "w") as target:
        for item in source.infolist():
            inner = item.filename.split("/", 1)[1]
            if inner.endswith(".debug_pkl") or inner == ".data/serialization_id":
                continue
            entry = zipfile.ZipInfo(f"model/{inner}", date_time=(1980, 1, 1, 0, 0, 0))
            header = 30 + len(entry.filename.encode())
            # An extra field of zeros (id, length, padding) puts the data on the boundary.
            padding = -(made.tell() + header + 4) % ALIGNMENT
            entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
            target.writestr(entry, source.read(item))
    return made.getvalue()
