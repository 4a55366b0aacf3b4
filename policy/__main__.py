"""The policy pack, as the Pulumi CLI starts it: `python policy ENGINE_ADDRESS`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

# The CLI starts this folder as a program, so that the package it is knows no parent.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.pack import NAME, policies

# The SDK leaves its port in a buffer that nobody flushes; the CLI would wait for it in vain.
sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
# A stack for which nobody chose levels is treated as production.
PolicyPack(NAME, policies(), EnforcementLevel.MANDATORY)
