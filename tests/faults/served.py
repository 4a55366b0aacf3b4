"""The transformer of the model `digits` on the cluster, as its clients and its node see it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from local.environment import environment
from local.layout import ROOT
from tests.local.node.kubectl import find_kubectl
from tests.local.stack.conftest import release
from tests.local.stack.programs import find
from tests.transformer.server import Transformer

if TYPE_CHECKING:
    from local.api import Object
    from tests.local.stack.conftest import Stack

__all__ = ["PYTHON", "Served", "pod", "run_python", "sample", "write_pictures"]

PYTHON = ROOT / ".venv-model" / "bin" / "python"
"""Of the transformer's environment."""


class Served(Transformer):
    """Asked as a transformer that a test has started; it is not started here."""

    def __init__(self, stack: Stack) -> None:
        self.model, self.url = "digits", stack.address("digits-transformer")
        self.port = urlsplit(self.url).port
        self.pod = pod(stack, "transformer")
        program = PYTHON.resolve().name
        pid = find(stack.cluster, self.pod["metadata"]["name"], program)
        self.process = SimpleNamespace(pid=pid)

    def clients(self) -> int:
        """The connections of clients that are open in its pod."""
        states = [
            line.split()[1:4]
            for file in Path(f"/proc/{self.process.pid}/net").glob("tcp*")
            for line in file.read_text().splitlines()[1:]
        ]
        return sum(local.endswith(f":{8080:04X}") and state == "01" for local, _, state in states)


def pod(stack: Stack, component: str) -> Object:
    """The only pod of the predictor or of the transformer that is not ending."""
    (found,) = (
        each
        for each in stack.list("pods")
        if each["metadata"]["name"].startswith(f"digits-{component}-")
        and "deletionTimestamp" not in each["metadata"]
    )
    return found


def run_python(stack: Stack, where: Object, program: str, *arguments: str) -> str:
    """What a program prints that runs in a pod of KServe's."""
    name = where["metadata"]["name"]
    words = ["exec", "-n", stack.namespace, name, "-c", "kserve-container", "--", "python", "-c"]
    done = subprocess.run(
        [str(find_kubectl()), *words, program, *arguments],
        env=environment(stack.cluster.layout),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sample(label: str) -> str:
    """A picture of a digit, in base64."""
    return next(str(each["image"]) for each in release()["samples"] if each["label"] == label)


def write_pictures(digit: Path, folder: Path) -> None:
    """Write what clients send: tests/faults/pictures.py."""
    command = [str(PYTHON), "-m", "tests.faults.pictures", str(digit), str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
