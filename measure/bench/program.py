"""CPU seconds of the program under mocks and of an empty program: `make bench`.

Each run is a process of its own; both programs alternate, and their medians are compared.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

from measure.bench.results import store

ROOT = Path(__file__).parents[2]
ROUNDS = 7
LIMIT_SECONDS = 1.5
EMPTY = """
import asyncio
import pulumi
asyncio.set_event_loop(asyncio.new_event_loop())
class Nothing(pulumi.runtime.Mocks):
    def new_resource(self, args): return args.name, {}
    def call(self, args): return {}, []
pulumi.runtime.set_mocks(Nothing())
pulumi.runtime.test(lambda: None)()
"""
WHOLE = """
import os, sys
sys.path.insert(0, os.environ["ROOT"])
from tests.infra.program import run
run("local")
"""


def cpu_seconds(source: str) -> float:
    """User and system time of a Python that runs `source`."""
    before = os.times()
    subprocess.run(
        [sys.executable, "-c", source],
        check=True,
        cwd=ROOT / "build" / "test",
        env={**os.environ, "ROOT": str(ROOT)},
    )
    after = os.times()
    return (
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def main() -> None:
    """Measure, print, and store the results."""
    pairs = [(cpu_seconds(EMPTY), cpu_seconds(WHOLE)) for _ in range(ROUNDS)]
    empty, whole = (statistics.median(side) for side in zip(*pairs, strict=True))
    more = whole - empty
    print(f"an empty program   {empty:.2f} s of CPU")
    print(f"the program        {whole:.2f} s of CPU, {more:.2f} s more (goal: {LIMIT_SECONDS} s)")
    found = {"empty_seconds": empty, "program_seconds": whole, "more_seconds": more}
    store("program", found)


if __name__ == "__main__":
    main()
