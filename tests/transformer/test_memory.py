"""The memory of the process after large requests."""

from __future__ import annotations

import subprocess
import sys

from tests.transformer.server import ROOT

# Blocks as Pillow's, each with a small one behind it that stays.
PROGRAM = """
import sys
from pathlib import Path
from transformer.memory import return_freed_memory

if sys.argv[1] == "returns":
    return_freed_memory()

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

before = resident()
# The first block that is freed raises glibc's threshold.
bytearray(b"x") * 2**24
blocks, stay = [], []
for _ in range(8):
    blocks.append(bytearray(b"x") * 2**24)
    stay.append(bytearray(b"x") * 10_000)
blocks.clear()
print(resident() - before)
"""


def kept_mib(mode: str) -> float:
    line = [sys.executable, "-c", PROGRAM, mode]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def test_large_blocks_are_given_back() -> None:
    assert kept_mib("keeps") > 64
    assert kept_mib("returns") < 16
