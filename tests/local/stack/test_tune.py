"""`make tune` with --deployed, on a stack that serves."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from local.environment import environment
from local.layout import ROOT

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_PYTHON = ROOT / ".venv-model" / "bin" / "python"


def test_each_point_is_deployed_and_measured_and_the_stack_put_back(stack: Stack) -> None:
    stack.deploy()
    before = stack.outputs()["models"]["digits"]
    words = ["--deployed", "--quick", "--yes", "--seconds=0.5", f"--url={stack.url()}"]
    done = subprocess.run(
        [_PYTHON, "-m", "measure.tune", "digits", "--stack=test", f"--root={stack.folder}", *words],
        cwd=ROOT,
        env=environment(stack.cluster.layout),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "restoring test from Pulumi.test.yaml" in done.stderr
    found = json.loads((stack.folder / "build" / "tune" / "digits.json").read_text())
    assert found["bench"] == "deployed"
    assert len([each for each in found["points"] if each["rate"]]) == 3
    assert stack.outputs()["models"]["digits"]["storageUri"] == before["storageUri"]
    assert stack.predict()["label"]
