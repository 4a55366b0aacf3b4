"""Whose work the machine did."""

from __future__ import annotations

import subprocess
import sys
import time

from measure.tune.neighbours import Clock, others

SECONDS = 0.3
TICK = 0.02


def test_work_of_this_process_is_its_own() -> None:
    before = Clock.read()
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    assert Clock.read().own - before.own >= SECONDS - TICK


def test_work_of_children_that_run_and_that_ended_is_its_own() -> None:
    burn = f"import time\nwhile time.process_time() < {SECONDS}: pass\nprint(flush=True)\ninput()"
    before = Clock.read()
    child = subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert Clock.read().own - before.own >= SECONDS - TICK
    child.communicate(b"\n")
    assert Clock.read().own - before.own >= SECONDS - TICK


def test_what_is_left_is_others() -> None:
    assert others(Clock(0, 100, 10), Clock(2, 104, 13)) == 0.5


def test_two_clocks_of_one_kernel_never_give_less_than_nothing() -> None:
    assert others(Clock(0, 100, 10), Clock(1, 100, 10.01)) == 0
