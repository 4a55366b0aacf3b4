"""Deploys the `local` stack, sends it a first request, and writes its addresses."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from local import first_request, reports
from local.api import Api
from local.environment import environment
from local.errors import LocalError
from local.layout import ROOT, write_atomically
from release import files, lock
from release.files import BUILD, RELEASE_JSON
from release.schema import short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.layout import Layout
    from release.schema import Release

__all__ = ["report", "up"]

_STACK = "local"
_PERCENTILES = ("mean", "p50", "p90", "p95", "p99", "max")


def up(layout: Layout) -> None:
    """Deploy the stack. Raises LocalError if that fails, or if its endpoint doesn't answer."""
    _pulumi(layout, "stack", "select", "--create")
    _build_missing(layout)
    _pulumi(layout, "up", "--yes", "--skip-preview")
    outputs = _outputs(layout)
    endpoints = {name: _endpoint(layout, model) for name, model in outputs["models"].items()}
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


def report(layout: Layout) -> list[Path]:
    """Write the pages of the stack's load tests. Raises LocalError if there is none."""
    results = {name: perf.get("result") for name, perf in _outputs(layout)["perf"].items()}
    pages = [reports.page(layout, name, place) for name, place in results.items() if place]
    if not pages:
        raise LocalError(
            "there is no load test's result: is the stack up, with perf.upload? Run: make up"
        )
    return pages


def _pulumi(layout: Layout, *arguments: str, capture: bool = False) -> str:
    """Run the CLI; its output with `capture`. Raises LocalError."""
    done = subprocess.run(
        ["pulumi", *arguments, "--stack", _STACK, "--non-interactive"],
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


def _build_missing(layout: Layout) -> None:
    """Build the current releases of the stack's models that are not under build/."""
    pinned = lock.read(ROOT / "models.lock.json")
    models = json.loads(_pulumi(layout, "config", "get", "models", capture=True))
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


def _outputs(layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_pulumi(layout, "stack", "output", "--json", capture=True))
    return found


def _release(name: str, digest: str) -> Release:
    folder = files.find(ROOT / BUILD, name, digest)
    if folder is None:
        raise LocalError(f"release {short(digest)} of {name} is not under {BUILD}/ any more")
    return files.read(folder / RELEASE_JSON)


def _endpoint(layout: Layout, model: Mapping[str, Any]) -> dict[str, str | None]:
    """A model's addresses on this machine, by its Services and its InferenceService."""
    host, _, path = model["url"].removeprefix("http://").partition("/")
    front, namespace = host.split(".")[:2]
    book = json.loads((layout.node / "services.json").read_text())

    def address(service: str) -> str | None:
        found = book.get(f"{namespace}/{service}", {}).get("80")
        return str(found) if found else None

    name = front.removesuffix("-transformer").removesuffix("-predictor")
    service = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/{name}"
    spec = Api(layout).request("GET", service)["spec"]["predictor"]
    triton = None if spec.get("containers") else address(f"{name}-predictor")
    grpc = spec["model"]["protocolVersion"] == "grpc-v2"
    predict = address(front) if path.endswith(":predict") else None
    return {
        "predict": f"http://{predict}/{path}" if predict else None,
        "v2_http": f"http://{triton}" if triton and not grpc else None,
        "v2_grpc": triton if grpc else None,
    }


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
    ]
