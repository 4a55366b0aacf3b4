"""CPU time and memory from /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from measure.procfs import CpuTimes, cpu_ticks, other_cores, peak_kib, reset_peak, usage

CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
child.wait()
"""
BURN = (
    "import time; end = time.process_time() + 0.4\nwhile time.process_time() < end: pass\ninput()"
)


@given(
    st.text(st.characters(codec="ascii"), max_size=15),
    st.lists(st.integers(0, 10**9), min_size=4, max_size=4),
)
def test_ticks_are_found_whatever_the_process_is_called(name: str, ticks: list[int]) -> None:
    before = " ".join(["S", *["1"] * 10])
    text = f"42 ({name}) {before} {' '.join(map(str, ticks))} 20 0 1"
    assert cpu_ticks(text) == sum(ticks)


def test_ticks_are_those_of_the_kernel() -> None:
    times = os.times()
    with open("/proc/self/stat") as stat:  # noqa: PTH123
        found = cpu_ticks(stat.read()) / os.sysconf("SC_CLK_TCK")
    expected = times.user + times.system + times.children_user + times.children_system
    assert found == pytest.approx(expected, abs=0.05)


def test_the_peak_is_read_and_zero_for_an_ending_process() -> None:
    assert peak_kib("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  61234 kB\nVmRSS:\t 5 kB\n") == 61234
    assert peak_kib("Name:\tx\nState:\tZ (zombie)\n") == 0


def test_children_of_a_process_count() -> None:
    parent = subprocess.Popen([sys.executable, "-c", CHILD, BURN], stdin=subprocess.PIPE)
    try:
        while (found := usage([parent.pid])).cpu_seconds < 0.4:
            assert parent.poll() is None
            time.sleep(0.05)
        assert found.peak_mib > 10
    finally:
        parent.communicate(b"\n")


def test_a_process_that_is_gone_uses_nothing() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert usage([gone.pid]).cpu_seconds == 0


def test_the_peak_can_be_reset() -> None:
    script = "x = bytearray(64 << 20); x[::4096] = b'1' * len(x[::4096]); del x; print(); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    try:
        process.stdout.readline()
        assert usage([process.pid]).peak_mib > 64
        reset_peak([process.pid])
        assert usage([process.pid]).peak_mib < 64
    finally:
        process.communicate(b"\n")


SECONDS = 0.3
TICK = 0.02


def test_work_of_this_process_counts() -> None:
    before = CpuTimes.read()
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    assert CpuTimes.read().own - before.own >= SECONDS - TICK


def test_work_of_running_and_ended_children_counts() -> None:
    burn = f"import time\nwhile time.process_time() < {SECONDS}: pass\nprint(flush=True)\ninput()"
    before = CpuTimes.read()
    child = subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert CpuTimes.read().own - before.own >= SECONDS - TICK
    child.communicate(b"\n")
    assert CpuTimes.read().own - before.own >= SECONDS - TICK


def test_the_rest_is_work_of_others() -> None:
    assert other_cores(CpuTimes(0, 100, 10), CpuTimes(2, 104, 13)) == 0.5


def test_other_cores_are_never_negative() -> None:
    assert other_cores(CpuTimes(0, 100, 10), CpuTimes(1, 100, 10.01)) == 0
