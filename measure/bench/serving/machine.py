"""The machine and the versions of a run."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version

from local.catalogue import TOOLS
from local.layout import ROOT
from local.toolchain import version_of
from measure.procfs import field, processor

__all__ = ["Machine", "describe"]

OURS = ("nvidia-pytriton", "torch", "onnxruntime")
PEERS = ("fastapi", "litserve", "bentoml", "ray", "kserve")


@dataclass(frozen=True)
class Machine:
    """`load` is the load average of the minute before the run."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    load: float
    versions: dict[str, str]


def describe() -> Machine:
    """This machine now."""
    return Machine(
        processor=processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int(field("meminfo", "MemTotal").split()[0]) / 2**20, 1),
        kernel=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    return {
        **{name: version(name) for name in OURS},
        **{name: _peer(name) for name in PEERS},
        **{each.name: version_of(each) for each in TOOLS if each.name in ("vegeta", "ghz")},
    }


def _peer(name: str) -> str:
    """The version of a package in the peers' environment."""
    (found,) = ROOT.glob(f".venv-bench/lib/python*/site-packages/{name}-*.dist-info")
    return found.name.removeprefix(f"{name}-").removesuffix(".dist-info")
