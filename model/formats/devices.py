"""Devices in the code of a traced network.

Tracing records where a tensor was made, `device=torch.device("cpu")`, even if forward() asked for
the device of its input: torch.arange(n, device=x.device), or the first state of an LSTM. On a GPU
such a network would fail, so that each of its methods makes its tensors where its input is.
"""

from __future__ import annotations

import re

from release.schema import ReleaseError

__all__ = ["follow_inputs"]

_CPU = 'torch.device("cpu")'
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
    if _CPU not in text:
        return text
    tensor = _TENSOR_ARGUMENT.search(match["arguments"])
    if tensor is None:
        line = next(line.strip() for line in text.splitlines() if _CPU in line)
        raise ReleaseError(
            f"forward() of a layer without inputs makes a tensor on the CPU: {line}; on a GPU this "
            "fails; make it once, in __init__, with self.register_buffer"
        )
    return text.replace(_CPU, f"ops.prim.device({tensor[1]})")
