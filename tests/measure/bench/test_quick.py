"""The quick run against the real Triton, SDK, FastAPI and our transformer, two seconds each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from measure.bench.serving.loads import QUICK, Rate
from measure.bench.serving.results import Results
from measure.bench.serving.runner import turns
from measure.bench.serving.session import session
from measure.bench.serving.subjects import SUBJECTS

RATE = 30


@pytest.fixture(scope="module")
def measured() -> Results:
    # At a rate that all can answer on a machine that tests something else beside.
    steps = [replace(step, load=Rate(RATE, 2)) for step in QUICK]
    todo = turns(steps, SUBJECTS, lambda _: True)
    return session(todo, 1, Results(), store=lambda _: None)


def test_every_request_of_every_subject_is_answered(measured: Results) -> None:
    names = set(QUICK[0].subjects)
    assert {key.subject for key in measured.cells} == names
    for cell in measured.cells.values():
        assert cell.figures
        assert cell.figures.success_ratio == 1
        assert cell.figures.throughput == pytest.approx(RATE, rel=0.1)


def test_latencies_cpu_and_memory_are_found(measured: Results) -> None:
    for key, cell in measured.cells.items():
        assert cell.figures
        assert 0 < cell.figures.at(0) <= cell.figures.at(50) <= cell.figures.p99_ms
        alone, in_process = key.subject.startswith("triton"), key.subject == "fastapi"
        assert (cell.figures.triton_cpu == 0) == in_process
        assert (cell.figures.triton_peak_mib == 0) == in_process
        assert (cell.figures.cpu == 0) == alone
        assert (cell.figures.peak_mib == 0) == alone
