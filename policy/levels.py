"""The file with the levels of a stack, chosen by its name: `python policy/levels.py STACK`.

The pack cannot choose levels. The CLI starts it without naming the stack, fixes each rule's level
then, and takes levels from `--policy-pack-config` only.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def is_production(stack: str) -> bool:
    """Whether a stack's name, plain or as ORGANISATION/PROJECT/STACK, begins or ends with prod."""
    name = stack.rpartition("/")[2].lower()
    return name.startswith("prod") or name.endswith("prod")


def config_file(stack: str) -> Path:
    """The value for the CLI's --policy-pack-config."""
    return HERE / f"config.{'prod' if is_production(stack) else 'dev'}.json"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python policy/levels.py STACK")
    print(config_file(sys.argv[1]))
