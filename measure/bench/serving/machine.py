"""On what it was measured."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from local.catalogue import TOOLS
from local.toolchain import version as pinned
from measure.bench.serving.generators import GHZ
from measure.bench.serving.servers import ROOT

__all__ = ["Machine", "describe"]


@dataclass(frozen=True)
class Machine:
    """`load` is the mean number of others' processes that ran in the minute before."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    load: float
    versions: dict[str, str]


def describe() -> Machine:
    """This one, now."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        kernel=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
        versions=_versions(),
    )


def _field(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    found = [line.partition(":")[2].strip() for line in lines if line.startswith(name)]
    return found[0] if found else ""


def _versions() -> dict[str, str]:
    (vegeta,) = (each for each in TOOLS if each.name == "vegeta")
    (sdk,) = ROOT.glob(".venv-bench/lib/python*/site-packages/kserve-*.dist-info")
    return {
        "nvidia-pytriton": version("nvidia-pytriton"),
        "torch": version("torch"),
        "kserve": sdk.name.removeprefix("kserve-").removesuffix(".dist-info"),
        "vegeta": pinned(vegeta.versioned_by, vegeta.folder),
        "ghz": pinned(GHZ.versioned_by, GHZ.folder),
    }
