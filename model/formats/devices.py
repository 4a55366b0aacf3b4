"""Devices in the code of a traced network.

Tracing records where a tensor was made, `device=torch.device("cpu")`, even if forward() asked for
the device of its input: torch.arange(n, device=x.device), or the first state of an LSTM. On a GPU
such a network would fail, so that each of its methods makes its tensors where its input is.
"""

from __future__ import annotations

import re

from release.schema import ReleaseError

__all__ = ["follow_inputs"]

_DEVICE = re.compile(r'torch\.device\("[a-z:0-9]+"\)')
# It takes the lengths of its sequences from the CPU, wherever it runs.
_PACKING = "_pack_padded_sequence"
# A method in the text of TorchScript's archive, up to the next method or class.
_METHOD = re.compile(
    r"^  def (?P<arguments>.*?) -> .*?(?=^  def |^class |\Z)", re.DOTALL | re.MULTILINE
)
_TENSOR_ARGUMENT = re.compile(r"(\w+): Tensor\b")


def follow_inputs(code: str) -> str:
    """A file of the archive's code, whose methods follow the device of their first tensor.

    Raises ReleaseError where a method has no tensor.
    """
    return _METHOD.sub(_method, code)


def _method(match: re.Match[str]) -> str:
    text = match[0]
    found = _DEVICE.search(text)
    if found is None or _PACKING in text:
        return text
    tensor = _TENSOR_ARGUMENT.search(match["arguments"])
    if tensor is None:
        line = text[: found.end()].splitlines()[-1].strip()
        raise ReleaseError(
            f"forward() of a layer without inputs makes a tensor on one device: {line}; on another "
            "this fails; make it once, in __init__, with self.register_buffer"
        )
    return _DEVICE.sub(f"ops.prim.device({tensor[1]})", text)
