"""`make status`: processes, node, InferenceServices and pods as tables."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local import state
from local.api import Api, ApiError, condition_status
from local.endpoints import gateway

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.layout import Layout

__all__ = ["status"]

_SERVICES = "/apis/serving.kserve.io/v1beta1/inferenceservices"


def status(layout: Layout) -> tuple[str, bool]:
    """The tables, and whether the cluster is healthy."""
    now = state.read(layout)
    if now is None:
        return "the local cluster is not running. Start it with: make up", False
    parts = [_processes(now)]
    if not now.runs():
        parts.append("The supervisor does not run. Start it again with: make up")
    parts += [f"{name}: {status}" for name, status in now.tasks.items() if status != "done"]
    try:
        api = Api(layout, timeout=5.0)
        parts += [_nodes(api), _inference_services(api), *_gateway(layout), _pods(api)]
    except ApiError as error:
        parts.append(str(error))
    return "\n\n".join(parts), now.is_healthy()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [
        "   ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    return "\n".join(lines)


def _ago(moment: float) -> str:
    seconds = int(max(0.0, time.time() - moment))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _processes(now: state.State) -> str:
    rows = []
    for name, record in now.processes.items():
        runs = record.runs()
        health = ("yes" if record.healthy else "no") if runs else "not running"
        pid, since = (str(record.pid), _ago(record.since)) if runs else ("-", "-")
        rows.append((name, pid, since, str(record.port or "-"), health, str(record.restarts)))
    return _table(("PROCESS", "PID", "UP", "PORT", "HEALTHY", "RESTARTS"), rows)


def _nodes(api: Api) -> str:
    rows = []
    for node in api.get("/api/v1/nodes")["items"]:
        has = node.get("status", {}).get("allocatable", {})
        ready = "Ready" if condition_status(node, "Ready") == "True" else "NotReady"
        gpus = has.get("nvidia.com/gpu", "0")
        rows.append(
            (node["metadata"]["name"], ready, has.get("cpu", "-"), has.get("memory", "-"), gpus)
        )
    return _table(("NODE", "STATUS", "CPU", "MEMORY", "GPU"), rows)


def _inference_services(api: Api) -> str:
    rows = []
    for service in (api.find(_SERVICES) or {"items": []})["items"]:
        about = service["metadata"]
        url = service.get("status", {}).get("url", "-")
        rows.append((about["namespace"], about["name"], condition_status(service, "Ready"), url))
    return _table(("NAMESPACE", "INFERENCESERVICE", "READY", "URL"), rows)


def _gateway(layout: Layout) -> list[str]:
    """Where the hosts of InferenceServices under Knative are; nothing before the node's start."""
    try:
        address = gateway(layout.services())
    except FileNotFoundError:
        return []
    return [f"Knative's gateway, which goes by the header Host: http://{address}"] * bool(address)


def _pods(api: Api) -> str:
    rows = []
    for pod in api.get("/api/v1/pods")["items"]:
        status = pod.get("status", {})
        containers = status.get("containerStatuses", [])
        ready = sum(bool(each["ready"]) for each in containers)
        restarts = sum(each["restartCount"] for each in containers)
        reasons = [each["state"].get("waiting", {}).get("reason") for each in containers]
        shown = next(filter(None, reasons), status.get("phase", "-"))
        about, total = pod["metadata"], len(pod["spec"]["containers"])
        rows.append(
            (about["namespace"], about["name"], f"{ready}/{total}", str(shown), str(restarts))
        )
    return _table(("NAMESPACE", "POD", "READY", "STATUS", "RESTARTS"), rows)
