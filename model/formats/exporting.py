"""torch.export, for the formats that start from an exported program."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING

import torch
from torch.export import Dim, ExportedProgram, ShapesCollection

from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model.formats import Signature, Values
    from release.schema import Tensor

__all__ = ["capture", "quiet", "reason"]


def capture(network: torch.nn.Module, examples: Values, signature: Signature) -> ExportedProgram:
    """Export a network with a batch of any size, and the signature's dims of -1 of any size.

    Raises ReleaseError if an input is text, or if torch.export can't follow forward().
    """
    for tensor in signature.inputs + signature.outputs:
        if tensor.dtype == "BYTES":
            raise ReleaseError(
                f"{tensor.name} is text, which torch.export can't carry; allowed: the format "
                "torchscript, or an ONNX file made elsewhere: python -m model import"
            )
    batch = Dim("batch", min=1)
    inputs = []
    shapes = ShapesCollection()
    for tensor, example in zip(signature.inputs, examples, strict=True):
        varying = _varying(tensor, batching=signature.batching)
        # The shapes of these go into the file. Two rows are enough.
        inputs.append(_widened(example[:2] if signature.batching else example, varying))
        shapes[inputs[-1]] = {
            index: batch if signature.batching and not index else Dim.DYNAMIC(min=1)
            for index in varying
        }
    try:
        with torch.no_grad(), quiet():
            return torch.export.export(network, tuple(inputs), dynamic_shapes=shapes)
    except Exception as error:
        raise ReleaseError(f"torch.export: {reason(error)}; {_REMEDY}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's warnings of its own code, and its dumps of graphs, from the terminal."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _varying(tensor: Tensor, *, batching: bool) -> list[int]:
    """Indices of the dimensions that vary, the batch's among them."""
    own = () if tensor.scalar else tensor.dims
    return [0] * batching + [index + batching for index, dim in enumerate(own) if dim == -1]


def _widened(example: torch.Tensor | list[str], varying: list[int]) -> torch.Tensor:
    """A copy whose varying sizes are 2 at least: torch.export takes a size of 1 for a constant."""
    assert isinstance(example, torch.Tensor)
    sizes = [2 if index in varying and size == 1 else 1 for index, size in enumerate(example.shape)]
    return example.repeat(sizes)


def reason(error: BaseException) -> str:
    """The line of a message of torch's or ONNX Runtime's that says what is wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    line = lines[0]
    if "Constraints violated" in line:
        # Each constraint is an item of the list that follows, its cause the first sentence.
        line = next((each[2:].split(". ")[0] for each in lines if each.startswith("- ")), line)
    elif "TorchScript interpreter" in line:
        # A traceback, with its cause at the end.
        line = lines[-1]
    return line.rstrip(".;:")


_REMEDY = (
    "forward() may not branch or loop on values of tensors, nor fix the size of the batch or of a "
    "dimension that varies: use torch.where or torch.cond, and x.shape in place of numbers; or "
    "take the format torchscript"
)
