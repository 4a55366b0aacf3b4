"""Load tests and verifications that run again, or can't run at all."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from local.layout import ROOT
from release.lock import read
from release.verdicts import read_verdicts

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack


_LOCK_FILE = ROOT / "build" / "test" / "models.lock.json"
_CURRENT, _EARLIER = (each.digest for each in read(_LOCK_FILE).releases("digits"))


def _results(stack: Stack) -> list[str]:
    """Every result in the bucket, oldest first. Writing one again would show as one only."""
    storage = stack.cluster.layout.storage()
    url = f"{storage}/storage/v1/b/kserve-triton-test/o?prefix=perf/"
    answer = urllib3.request("GET", url, headers=stack.cluster.layout.owner(), timeout=10)
    items = answer.json().get("items", [])
    found = [each for each in items if each["name"].endswith("/result.json")]
    ordered = sorted(found, key=lambda each: str(each["timeCreated"]))
    return [f"gs://kserve-triton-test/{each['name']}" for each in ordered]


def _newest(stack: Stack) -> str:
    return str(stack.outputs()["perf"]["digits"]["result"])


def test_settings_that_were_tested_before_get_a_result_of_their_own(stack: Stack) -> None:
    stack.destroy()
    named = []
    for rate in (50, 40, 50):
        stack.deploy(perf=stack.settings["perf"] | {"rate": rate})
        named.append(_newest(stack))
    assert _results(stack) == named
    assert len(set(named)) == 3
    # The first and the last tested the same.
    assert named[0].rsplit("/", 2)[0] == named[2].rsplit("/", 2)[0]


def test_a_load_test_that_is_tried_again_has_both_results(stack: Stack) -> None:
    stack.deploy()
    passed, before = _newest(stack), len(_results(stack))
    perf: dict[str, Any] = stack.settings["perf"]
    impossible = perf | {"objectives": perf["objectives"] | {"p99Ms": 0.001}}
    for tries in (1, 2):
        done = stack.up(perf=impossible)
        assert done.returncode != 0
        assert "load test of digits: fail" in done.stdout + done.stderr
        assert len(_results(stack)) == before + tries
    # The settings that passed are in force again, with the result that they have.
    stack.deploy()
    assert _newest(stack) == passed


def _prove(stack: Stack, lock: Path) -> dict[str, str]:
    """Record the stack's verdicts as the workflow does; by digest, what the lock then has."""
    exported = stack.run("stack", "export").stdout
    python, name = str(ROOT / ".venv" / "bin" / "python"), stack.name
    command = [python, "-m", "model", "prove", "--stack", name, "--lock", str(lock)]
    subprocess.run(command, cwd=ROOT, input=exported, text=True, check=True)
    entries = read(lock).releases("digits")
    return {each.digest: each.proven[name].verdict for each in entries if name in each.proven}


def test_a_load_test_that_fails_is_a_verdict_in_the_lock(stack: Stack, tmp_path: Path) -> None:
    lock = Path(shutil.copy(_LOCK_FILE, tmp_path))
    stack.deploy()
    earlier = {"digits": {"release": _EARLIER[:12]}}
    perf: dict[str, Any] = stack.settings["perf"]
    impossible = perf | {"objectives": perf["objectives"] | {"p99Ms": 0.001}}
    assert stack.up(models=earlier, perf=impossible).returncode != 0
    assert _prove(stack, lock) == {_CURRENT: "pass", _EARLIER: "fail"}
    stack.deploy()
    (only,) = read_verdicts(stack.run("stack", "export").stdout).found
    assert (only.digest, only.verdict.verdict) == (_CURRENT, "pass")


def _verification(stack: Stack) -> tuple[str, str]:
    """Name and uid of the verification."""
    jobs = [each["metadata"] for each in stack.list("jobs", "/apis/batch/v1")]
    (job,) = (each for each in jobs if each["name"].startswith("verify-"))
    return job["name"], job["uid"]


def test_going_back_after_a_failed_update_is_verified_anew(stack: Stack) -> None:
    stack.deploy()
    name, uid = _verification(stack)
    stack.deploy()
    assert _verification(stack) == (name, uid)
    perf: dict[str, Any] = stack.settings["perf"]
    impossible = perf | {"objectives": perf["objectives"] | {"p99Ms": 0.001}}
    other = stack.settings["predictor"] | {"env": {"ANOTHER": "setting"}}
    assert stack.up(perf=impossible, predictor=other).returncode != 0
    stack.deploy()
    again, other_uid = _verification(stack)
    assert again == name
    assert other_uid != uid


def test_an_image_that_cant_be_pulled_is_the_cause_that_is_told(stack: Stack) -> None:
    stack.deploy(perf={"enabled": False})
    begun = time.monotonic()
    jobs = stack.settings["jobs"] | {"image": "nowhere.example/absent:1"}
    deadline = 10
    done = stack.up(jobs=jobs, verification={"deadlineSeconds": deadline}, perf={"enabled": False})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "ErrImagePull" in said
    assert 'image "nowhere.example/absent:1" can\'t be pulled' in said
    # A minute for last words after the deadline, and as long again for a busy machine.
    assert time.monotonic() - begun < deadline + 120
    stack.deploy(perf={"enabled": False})
