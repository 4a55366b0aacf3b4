"""Definitions that tests write into folders of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HEADER = """\
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from model.definition import Definition, Pictures, Trained
from release.schema import ImageInput

def batches(*shapes):
    return lambda: [(torch.randn(*shape),) for shape in shapes]
"""
# A network that answers what the test's function does.
FORWARD = """
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.drop = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(4)
    def forward(self, x):
{body}
definition = Definition(network=Network, examples=batches((6, 4)){more})
"""


def write(folder: Path, name: str, text: str) -> Path:
    """Write `name`, NAME.py or a path with folders."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + text)
    return path


def forward(body: str, more: str = "") -> str:
    """The text of a definition whose forward(x), with x float32 [6, 4], has this body."""
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return FORWARD.format(body=lines, more=f", {more}" if more else "")


def run(folder: Path, command: str, name: str, *options: str) -> int:
    """A command of `python -m model` on definitions in a folder; the release goes to its build/."""
    own = () if command in ("show", "verify") else ("--definitions", str(folder))
    out = () if command in ("new", "train") else ("--out", str(folder / "build"))
    lock = () if command in ("new", "train") else ("--lock", str(folder / "lock.json"))
    return main([command, name, *own, *out, *lock, *options])


def refusal(folder: Path, text: str, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The line with which the build of a definition is refused."""
    write(folder, "mine.py", text)
    assert run(folder, "build", "mine", *options) == 1
    return capsys.readouterr().err
