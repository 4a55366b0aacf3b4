"""Deploys a local stack, sends it a first request, and writes its addresses."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from local import first_request, reports
from local.api import Api
from local.endpoints import endpoint
from local.environment import environment
from local.errors import LocalError
from local.layout import ROOT, write_atomically
from local.triton.server import NOTE
from release import files, lock
from release.files import BUILD, RELEASE_JSON
from release.schema import short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.layout import Layout
    from release.schema import Release

__all__ = ["STACKS", "report", "up"]

# The stack's file of each mode.
STACKS = {"Standard": "local", "Knative": "knative"}
_PERCENTILES = ("mean", "p50", "p90", "p95", "p99", "max")


def up(layout: Layout, mode: str) -> None:
    """Deploy a mode's stack. Raises LocalError if that fails, or if an endpoint doesn't answer."""
    stack = STACKS[mode]
    _pulumi(layout, stack, "stack", "select", "--create")
    _build_missing(layout, stack)
    _pulumi(layout, stack, "up", "--yes", "--skip-preview")
    outputs = _outputs(layout, stack)
    endpoints = {name: _endpoint(layout, name, each) for name, each in outputs["models"].items()}
    write_atomically(layout.endpoints, json.dumps(endpoints, indent=2) + "\n")
    for name, addresses in endpoints.items():
        print(f"\n{name}")
        release = _release(name, outputs["models"][name]["digest"])
        if said := first_request.send(addresses, release):
            print(f"  {said}")
        for line in _latency(layout, outputs["perf"].get(name, {})):
            print(f"  {line}")
        for kind, address in addresses.items():
            if address:
                print(f"  {kind:<8} {address}")


def report(layout: Layout, mode: str) -> list[Path]:
    """Write the pages of a stack's load tests. Raises LocalError if there is none."""
    perf = _outputs(layout, STACKS[mode])["perf"]
    results = {name: each.get("result") for name, each in perf.items()}
    pages = [reports.page(layout, name, place) for name, place in results.items() if place]
    if not pages:
        raise LocalError(
            "there is no load test's result: is the stack up, with perf.upload? Run: make up"
        )
    return pages


def _pulumi(layout: Layout, stack: str, *arguments: str, capture: bool = False) -> str:
    """Run the CLI; its output with `capture`. Raises LocalError."""
    done = subprocess.run(
        ["pulumi", *arguments, "--stack", stack, "--non-interactive"],
        cwd=ROOT,
        env=environment(layout),
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalError(
            f"`pulumi {' '.join(arguments)}` failed, see above. See `make status`; retry: make up"
        )
    return done.stdout or ""


def _build_missing(layout: Layout, stack: str) -> None:
    """Build the current releases of the stack's models that are not under build/."""
    pinned = lock.read(ROOT / "models.lock.json")
    models = json.loads(_pulumi(layout, stack, "config", "get", "models", capture=True))
    for name, settings in models.items():
        entry = pinned.current(name)
        # The program refuses a model that is not in the lock. An earlier release can't be built.
        if entry is None or (settings or {}).get("release"):
            continue
        if files.find(ROOT / BUILD, name, entry.digest):
            continue
        print(
            f"{name}: release {short(entry.digest)} is not under {BUILD}/: building it", flush=True
        )
        command = [str(ROOT / ".venv-model" / "bin" / "python"), "-m", "model", "build", name]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise LocalError(f"{name} can't be built, see above. Retry: make up")


def _outputs(layout: Layout, stack: str) -> dict[str, Any]:
    text = _pulumi(layout, stack, "stack", "output", "--json", capture=True)
    found: dict[str, Any] = json.loads(text)
    return found


def _release(name: str, digest: str) -> Release:
    folder = files.find(ROOT / BUILD, name, digest)
    if folder is None:
        raise LocalError(f"release {short(digest)} of {name} is not under {BUILD}/ any more")
    return files.read(folder / RELEASE_JSON)


def _endpoint(layout: Layout, name: str, model: Mapping[str, Any]) -> dict[str, str | None]:
    """A model's addresses on this machine."""
    # Inside the cluster and under Knative the namespace is the second label of the host.
    namespace = model["url"].split(".")[1]
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
    return endpoint(Api(layout).request("GET", path), layout.services())


def _latency(layout: Layout, perf: Mapping[str, Any]) -> list[str]:
    """The load test's latencies as a table, from its result in the bucket."""
    place = perf.get("result")
    if not place:
        return []
    result = reports.fetch(layout, place)
    if result is None:
        return [f"load test: {perf['verdict']}; its result is not in the bucket any more"]
    found, rate = result["latency_ms"], result["rate"]
    return [
        f"load test: {perf['verdict']}, {rate['achieved']:.0f} requests/s for "
        f"{result['duration_seconds']:.0f} s, {result['success_ratio']:.2%} good; "
        "as a page: make report",
        "ms      " + "".join(f"{each:>8}" for each in _PERCENTILES),
        "latency " + "".join(f"{found[each]:>8.2f}" for each in _PERCENTILES),
        f"        on {NOTE}",
    ]
