"""The load test's generators, built here: vegeta over HTTP, ghz over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.load.ghz import infer_messages, run_ghz
from jobs.load.vegeta import Attack, run_attack
from local.building import build_missing
from local.catalogue import TOOLS
from local.toolchain import tool
from measure.bench.serving.loads import Clients, Rate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.load.metrics import Hits
    from jobs.samples import Target
    from release.schema import Release

__all__ = ["build", "ghz", "vegeta"]


def build() -> None:
    """Build the generators from their pinned modules, unless they are in the cache."""
    build_missing(tuple(each for each in TOOLS if each.name in ("vegeta", "ghz")))


def vegeta(targets: Sequence[Target], load: Rate | Clients, folder: Path) -> Hits:
    """Send a load over HTTP/1.1 with persistent connections. Raises LoadError."""
    return run_attack(targets, _attack(load), folder, program=str(tool("vegeta")))


def ghz(address: str, release: Release, images: int, load: Rate | Clients, folder: Path) -> Hits:
    """Send a load of ModelInfer calls with the release's samples. Raises LoadError."""
    messages = infer_messages(release.name, release, batch=images)
    return run_ghz(address, messages, _attack(load), folder, program=str(tool("ghz")))


def _attack(load: Rate | Clients) -> Attack:
    if isinstance(load, Rate):
        return Attack(load.seconds, rate=load.a_second)
    return Attack(load.seconds, clients=load.count)
