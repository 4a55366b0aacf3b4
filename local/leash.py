"""Runs a command that doesn't outlive its parent: `leash.py PARENT SIGNAL COMMAND…`.

It is a script for an interpreter of its own, since code between fork and exec may deadlock in a
parent with threads. The command keeps its pid and the parent-death signal, across exec.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death, *command = sys.argv[1:]
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(death)) != 0:
        sys.exit("prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != int(parent):  # It died before the lines above.
        sys.exit("the parent has ended")
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
