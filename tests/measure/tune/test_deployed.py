"""A deployed stack, with a program in place of pulumi that records its calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from measure.tune.deployed_stack import DeployedStack
from measure.tune.deployment import DeployError, TuneError
from measure.tune.knobs import Knobs
from measure.tune.stack import StackFile

ROOT = Path(__file__).parents[3]
URL = "http://digits-transformer.models.svc.cluster.local/v1/models/digits:predict"
PULUMI = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
words = sys.argv[1:]
flags = dict(zip(words, words[1:]))
config = pathlib.Path(flags["--config-file"]).read_text() if "--config-file" in flags else ""
slow = "enabled: false" in config and "SLOW" in os.environ
if slow:
    signal.signal(signal.SIGINT, lambda *_: sys.exit(1))
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps({{"words": words, "config": config}}) + "\\n")
if words[:2] == ["stack", "output"]:
    print(json.dumps({{"models": {{"digits": {{"url": "{URL}"}}}}}}))
elif "instances: 3" in config:
    sys.exit(1)
elif slow:
    time.sleep(600)
"""
STACK = """config:
  # Kept as it is.
  kserve-triton:perf: {rate: 100}
  kserve-triton:models:
    digits: {}
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program notes its calls, and beside it the stack's file."""
    program = tmp_path / "bin" / "pulumi"
    program.parent.mkdir()
    program.write_text(PULUMI)
    program.chmod(0o755)
    (tmp_path / "Pulumi.test.yaml").write_text(STACK)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


def noted(calls: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


def updates(calls: Path) -> list[str]:
    """The configurations that were deployed."""
    return [call["config"] for call in noted(calls) if call["words"][0] == "up"]


def deployment(calls: Path, url: str | None = None) -> DeployedStack:
    file = StackFile.read(calls.parent / "Pulumi.test.yaml", "digits")
    return DeployedStack(file, calls.parent, url)


def test_a_point_is_deployed_from_a_copy_without_a_load_test(calls: Path) -> None:
    with deployment(calls) as deployed:
        deployed.apply(Knobs(2).on(deployed.file.settings))
        config = yaml.safe_load(updates(calls)[0])["config"]
    assert config["kserve-triton:perf"] == {"rate": 100, "enabled": False}
    assert config["kserve-triton:triton"]["instances"] == 2
    assert (calls.parent / "Pulumi.test.yaml").read_text() == STACK


def test_afterwards_the_stacks_own_file_is_deployed(calls: Path) -> None:
    with deployment(calls) as deployed:
        deployed.apply(Knobs(2).on(deployed.file.settings))
    assert updates(calls)[-1] == STACK
    assert noted(calls)[-1]["words"][-1] == str(calls.parent / "Pulumi.test.yaml")


def test_a_failure_restores_the_stack(calls: Path) -> None:
    with pytest.raises(RuntimeError), deployment(calls) as deployed:
        deployed.apply(Knobs(2).on(deployed.file.settings))
        raise RuntimeError
    assert updates(calls)[-1] == STACK


def test_a_stack_that_was_never_updated_is_not_restored(calls: Path) -> None:
    with deployment(calls):
        pass
    assert noted(calls) == []


def test_settings_that_cannot_be_deployed_are_a_deploy_error(calls: Path) -> None:
    with deployment(calls) as deployed, pytest.raises(DeployError):
        deployed.apply(Knobs(3).on(deployed.file.settings))


def test_the_stacks_own_url_is_measured(calls: Path) -> None:
    with deployment(calls) as deployed:
        assert deployed.apply(deployed.file.settings).url == URL


def test_another_url_keeps_the_host_header_for_the_gateway(calls: Path) -> None:
    with deployment(calls, "http://127.0.0.1:1/v1/models/digits:predict") as deployed:
        found = deployed.apply(deployed.file.settings)
    assert found.url == "http://127.0.0.1:1/v1/models/digits:predict"
    assert found.host_header == "digits-transformer.models.svc.cluster.local"


def test_a_missing_pulumi_is_reported(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(calls.parent))
    deployed = deployment(calls)
    with pytest.raises(TuneError, match="on PATH"), deployed:
        deployed.apply(deployed.file.settings)


def test_ctrl_c_during_an_update_cancels_it_and_restores_the_stack(calls: Path) -> None:
    line = [
        sys.executable,
        "-m",
        "measure.tune",
        "digits",
        "--stack",
        "test",
        "--deployed",
        "--yes",
    ]
    process = subprocess.Popen(
        [*line, "--root", str(calls.parent)],
        cwd=ROOT,
        env=os.environ | {"SLOW": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not updates(calls):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, output = process.communicate()
    assert process.returncode == 130, output
    assert [config == STACK for config in updates(calls)] == [False, True]
    assert (calls.parent / "Pulumi.test.yaml").read_text() == STACK
