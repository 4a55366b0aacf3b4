"""Which command each image stands for on this machine.

There is no registry and no container engine here: an image is a name for programs that the
project's own environments hold. A name that isn't in the table fails as a missing image does.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["KNOWN", "PROJECT", "Image", "find", "known"]

PROJECT = Path(__file__).resolve().parents[2]
_MODEL_PYTHON = PROJECT / ".venv-model" / "bin" / "python"
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAUNCHER = PROJECT / "local" / "triton" / "launch.py"
_INITIALIZER = PROJECT / "local" / "node" / "initializer.py"


@dataclass(frozen=True)
class Image:
    """What a container of an image runs unless its pod says otherwise."""

    entrypoint: tuple[str, ...] = ()
    programs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Programs of the image that a pod may name as its command, and what they are here."""
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    writable: tuple[Path, ...] = ()
    """Folders of the machine that the programs write to."""
    storage: bool = False
    """Whether it speaks with Google Cloud Storage, whose place an emulator takes here."""

    def command(self, command: list[str], args: list[str]) -> list[str]:
        """As an image's entry point and a pod's `command` and `args` combine."""
        if not command:
            return [*self.entrypoint, *args]
        return [*self.programs.get(command[0], command[:1]), *command[1:], *args]


def _python(interpreter: Path, *, path: str = "", **more: str) -> dict[str, str]:
    folders = [str(interpreter.parent), *([path] if path else []), _SYSTEM]
    return {
        "PATH": ":".join(folders),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(PROJECT),
        **more,
    }


def _vegeta() -> dict[str, str]:
    """The load generator, which the jobs' image has at /usr/local/bin."""
    found = os.environ.get("VEGETA") or shutil.which("vegeta")
    return {"VEGETA": found, "path": str(Path(found).parent)} if found else {}


def _triton() -> Image:
    launch = (str(_MODEL_PYTHON), str(_LAUNCHER), "tritonserver")
    return Image(
        # The image's own entry point runs its arguments, the first of which is the program.
        entrypoint=(str(_MODEL_PYTHON), str(_LAUNCHER)),
        programs={"tritonserver": launch, "/opt/tritonserver/bin/tritonserver": launch},
        env={"PATH": f"{_MODEL_PYTHON.parent}:{_SYSTEM}"},
        writable=(PROJECT / ".local" / "triton",),
    )


def _module(name: str, env: dict[str, str], storage: bool = False) -> Image:
    python = (str(_MODEL_PYTHON),)
    programs: dict[str, tuple[str, ...]] = {"python": python, "python3": python}
    return Image((*python, "-m", name), programs, env, str(PROJECT), storage=storage)


def _initializer() -> Image:
    python = Path(sys.executable)
    return Image((str(python), str(_INITIALIZER)), {}, _python(python), storage=True)


KNOWN: dict[str, Image] = {
    "nvcr.io/nvidia/tritonserver:*": _triton(),
    "kserve/storage-initializer:*": _initializer(),
    "kserve-triton/transformer:*": _module("transformer", _python(_MODEL_PYTHON)),
    "kserve-triton/jobs:*": _module("jobs", _python(_MODEL_PYTHON, **_vegeta()), storage=True),
}
# A shell and Python, for the tests of the agent itself.
TEST = {
    "test/run:*": Image(env={"PATH": f"{Path(sys.executable).parent}:{_SYSTEM}"}),
    "test/python:*": Image((sys.executable,), env=_python(Path(sys.executable))),
}


def known(test_images: bool = False) -> dict[str, Image]:
    """The table: image pattern -> what it stands for."""
    return KNOWN | TEST if test_images else KNOWN


def find(image: str, table: dict[str, Image]) -> Image | None:
    """What an image stands for; its registry may be spelt out, and a digest stands for any tag."""
    name = image.partition("@")[0].removeprefix("docker.io/").removeprefix("index.docker.io/")
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return next((entry for pattern, entry in table.items() if fnmatchcase(tagged, pattern)), None)
