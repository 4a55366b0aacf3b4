"""Updates that end in the middle: by Ctrl-C, or killed with everything that they started."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from local.environment import environment
from tests.local.cluster import eventually

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

# What an update's output says before it is killed.
_WHILE_MAKING = (
    "ConfigMapPatch namespace-kserve-triton-models creating",
    "Bucket models-bucket creating",
    "Role verifier-test creating",
    "InferenceService digits creating",
    "(Active: 1",
)
_WHILE_CHANGING = (
    "InferenceService digits updating",
    "InferenceService digits updated",
    "Job verify-digits",
    "Job perf-digits",
    " deleting (",
)


def _start(stack: Stack) -> subprocess.Popen[str]:
    """An update in a process group of its own, as a shell would start it."""
    return subprocess.Popen(
        stack.command("up", "--yes", "--skip-preview"),
        cwd=stack.folder,
        env=environment(stack.cluster.layout),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _end_at(stack: Stack, point: str, number: signal.Signals) -> str:
    """Start an update, and end it as soon as it says something; all that it said."""
    process = _start(stack)
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if point in line and process.poll() is None and len(said) > 1:
            os.killpg(process.pid, number)
            break
    said.append(process.stdout.read())
    process.wait()
    return "".join(said)


def _converges(stack: Stack, point: str) -> None:
    assert point in _end_at(stack, point, signal.SIGKILL)
    # The one command before the next update, as the CLI itself says.
    assert stack.run("cancel", "--yes").returncode == 0
    done = stack.run("up", "--yes", "--skip-preview", "--suppress-progress")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.predict()["label"]
    assert stack.drift().returncode == 0


@pytest.mark.parametrize("point", _WHILE_MAKING)
def test_after_a_kill_the_next_update_makes_the_stack_whole(stack: Stack, point: str) -> None:
    stack.destroy()
    stack.configure(perf={"enabled": False})
    _converges(stack, point)
    # Whatever the update said last, the patch with the names of its models may have been under way.
    stack.destroy()
    _release_forgotten_fields(stack)


def _release_forgotten_fields(stack: Stack) -> None:
    """Do what docs/serving.md says for a field manager of which the killed update left no record.

    Whether there is one depends on how far the plugin came before it was killed.
    """
    path = "/api/v1/namespaces/models/configmaps/kserve-triton-models"
    # The stacks' claims are all that the ConfigMap has, so it may have no manager any more.
    entries = stack.cluster.api.get(path)["metadata"].get("managedFields", [])
    name = {"name": "kserve-triton-models", "namespace": "models"}
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": name}
    for manager in {entry["manager"] for entry in entries}:
        if manager.startswith("pulumi-kubernetes-"):
            query = f"?fieldManager={manager}"
            stack.cluster.api.request("PATCH", path + query, empty, "application/apply-patch+yaml")
    assert not stack.cluster.api.get(path).get("data")


@pytest.mark.parametrize("point", _WHILE_CHANGING)
def test_after_a_kill_the_next_update_brings_the_change(stack: Stack, point: str) -> None:
    perf = stack.settings["perf"] | {"enabled": point == "Job perf-digits"}
    stack.deploy(perf=perf)
    settings = stack.settings["predictor"] | {"env": {"TRY": point}}
    stack.configure(predictor=settings, perf=perf)
    _converges(stack, point)
    (found,) = (
        each["value"]
        for each in stack.service()["spec"]["predictor"]["model"]["env"]
        if each["name"] == "TRY"
    )
    assert found == point


def test_ctrl_c_ends_it_cleanly_and_the_next_update_converges(stack: Stack) -> None:
    stack.destroy()
    stack.configure()
    said = _end_at(stack, "Job verify-digits", signal.SIGINT)
    assert "cancel" in said.lower(), said
    locks = stack.cluster.layout.pulumi / ".pulumi" / "locks"
    eventually(lambda: not list(locks.rglob("test/*.json")))
    stack.deploy()
    assert stack.predict()["label"]
    assert stack.drift().returncode == 0


def test_the_cli_can_be_told_to_forget_what_it_saw_no_end_of(stack: Stack) -> None:
    # The kills before this test have left such operations in the stack's state.
    assert "pending operations" in stack.up().stdout
    assert stack.run("refresh", "--yes", "--clear-pending-creates").returncode == 0
    assert "pending operations" not in stack.up().stdout
