"""The policy pack, as the Pulumi CLI starts it: `python policy ENGINE_ADDRESS`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

# The CLI starts this folder as a program, so its parent is not on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.pack import NAME, policies

# The SDK prints its port without flushing, and the CLI waits for it.
sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
# Without chosen levels a stack is treated as production.
PolicyPack(NAME, policies(), EnforcementLevel.MANDATORY)
