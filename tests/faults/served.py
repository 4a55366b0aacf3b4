"""The transformer of the model `digits` on the cluster, as its clients and its node see it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.layout import ROOT
from tests.local.stack.conftest import release
from tests.local.stack.programs import find
from tests.transformer.server import Transformer

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

__all__ = ["PYTHON", "Served", "process", "sample", "write_pictures"]

PYTHON = ROOT / ".venv-model" / "bin" / "python"
"""Of the transformer's environment."""


class Served(Transformer):
    """Asked as a transformer that a test has started; it is not started here."""

    def __init__(self, stack: Stack) -> None:
        self.model, self.url = "digits", stack.address("digits-transformer")
        self.port = urlsplit(self.url).port
        self.process = SimpleNamespace(pid=process(stack, "transformer", PYTHON.resolve().name))

    def clients(self) -> int:
        """The connections of clients that are open in its pod."""
        states = [
            line.split()[1:4]
            for file in ("tcp", "tcp6")
            for line in Path(f"/proc/{self.process.pid}/net/{file}").read_text().splitlines()[1:]
        ]
        return sum(local.endswith(f":{8080:04X}") and state == "01" for local, _, state in states)


def process(stack: Stack, component: str, program: str) -> int:
    """The process of a program in the only pod of a component that is not ending."""
    (pod,) = (
        pod["metadata"]["name"]
        for pod in stack.list("pods")
        if pod["metadata"]["name"].startswith(f"digits-{component}-")
        and "deletionTimestamp" not in pod["metadata"]
    )
    return find(stack.cluster, pod, program)


def sample(label: str) -> str:
    """A picture of a digit, in base64."""
    return next(str(each["image"]) for each in release()["samples"] if each["label"] == label)


def write_pictures(digit: Path, folder: Path) -> None:
    """Write what clients send: tests/faults/pictures.py."""
    command = [str(PYTHON), "-m", "tests.faults.pictures", str(digit), str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
