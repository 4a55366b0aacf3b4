"""A minimal sweep on a real Triton."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.config import ModelSettings, Promotion
from infra.releases import load
from jobs.samples import read_release
from local.toolchain import tool
from measure.procfs import descendants
from measure.tune.deployment import DeployError
from measure.tune.grid import Stage
from measure.tune.knobs import Knobs
from measure.tune.local_triton import LocalTriton
from measure.tune.session import Plan, Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.manifests.artefact import Artefact

ROOT = Path(__file__).parents[3]
# Whatever machine this is, something holds.
SETTINGS = ModelSettings.model_validate({"perf": {"objectives": {"p99Ms": 400}}})
STACK = """config:
  kserve-triton:perf: {objectives: {p99Ms: 400}}
  kserve-triton:models: {digits: {}}
"""


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return load({"digits": SETTINGS}, ROOT, Promotion()).stable["digits"]


@pytest.fixture(scope="module")
def triton(artefact: Artefact) -> Iterator[LocalTriton]:
    with LocalTriton(artefact, 1, {}) as deployment:
        yield deployment


def test_two_points_are_measured(triton: LocalTriton, artefact: Artefact) -> None:
    release = read_release(artefact.folder / "release.json")
    plan = Plan(seconds=0.5, resolution=4, attempts=1, confirm=False)
    session = Session(triton, SETTINGS, release, plan, str(tool("vegeta")))
    later = Knobs(queue_delay_microseconds=500)
    found = session.run([Stage("delay", ({"queue_delay_microseconds": 500},))], Knobs())
    assert [each.knobs for each in found] == [Knobs(), later]
    for each in found:
        best = [trial for trial in each.trials if trial.asked == each.rate]
        assert any(trial.held and trial.p99_ms <= 400 for trial in best), each


def test_settings_that_triton_refuses_are_a_deploy_error(triton: LocalTriton) -> None:
    # More than maxBatchSize, which the sections would not allow.
    wrong = SETTINGS.triton.model_copy(update={"preferred_batch_sizes": (64,)})
    with pytest.raises(DeployError, match="preferred"):
        triton.apply(SETTINGS.model_copy(update={"triton": wrong}))


def test_it_has_no_more_cores_than_it_was_given(triton: LocalTriton) -> None:
    triton.apply(SETTINGS)
    everyone = descendants(triton.triton.process.pid)
    assert len(everyone) > 1
    assert {len(os.sched_getaffinity(pid)) for pid in everyone} == {1}


def test_ctrl_c_leaves_no_triton_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(STACK)
    command = [
        sys.executable,
        "-m",
        "measure.tune",
        "digits",
        "--stack",
        "test",
        "--root",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if "/s: p99" in line)
    running = descendants(process.pid)[1:]
    process.send_signal(signal.SIGINT)
    _, output = process.communicate()
    assert process.returncode == 130, output
    assert "nothing was written" in output
    assert len(running) > 1
    assert not [pid for pid in running if Path(f"/proc/{pid}").exists()]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == STACK
