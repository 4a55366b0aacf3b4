"""All that the supervisor runs: the cluster's processes, and tasks that create its objects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local import knative, kourier, kserve, manifests
from local.addons import addons
from local.api import Api, condition_status
from local.control_plane import control_plane
from local.errors import LocalError
from local.layout import ROOT
from local.spec import Process, Task

if TYPE_CHECKING:
    from local.api import Object
    from local.layout import Layout

__all__ = ["processes", "tasks"]

_LOOK, _PATIENCE = 0.2, 30.0
_DATA_PLANE = (
    *((knative.NAMESPACE, name) for name in (*knative.DEPLOYMENTS, kourier.CONTROLLER)),
    (kourier.NAMESPACE, kourier.GATEWAY),
)
_STAMP = "/api/v1/namespaces/kube-system/configmaps/kserve-triton-local"


def processes(layout: Layout) -> list[Process]:
    """All processes; `needs` has the order of their start."""
    port = layout.ports()
    return [*control_plane(layout, port), *addons(layout, port)]


def tasks(layout: Layout) -> list[Task]:
    """Create KServe's and Knative's objects, and wait for those that run in pods."""
    return [
        Task("foundation", lambda: _apply_foundation(layout), needs=("kube-apiserver",)),
        Task(
            "admission",
            lambda: _apply_admission(layout),
            needs=("foundation", "kserve-manager", "knative-webhook"),
        ),
        Task("data-plane", lambda: _wait_for_pods(layout), needs=("foundation", "node")),
    ]


def _edition(layout: Layout) -> str:
    """A digest of what the objects depend on."""
    authority = (layout.certificates / "ca.crt").read_text()
    code = [
        (ROOT / "local" / f"{name}.py").read_text() for name in ("kserve", "knative", "kourier")
    ]
    versions = (kserve.VERSION, knative.VERSION, kourier.VERSION)
    return manifests.digest(versions, layout.ports(), authority, code)


def _is_current(api: Api, layout: Layout) -> bool:
    stamp = api.find(_STAMP)
    return stamp is not None and stamp["data"] == {"edition": _edition(layout)}


def _apply_foundation(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    wanted: list[Object] = [*knative.foundation(), *kourier.foundation(), *kserve.foundation()]
    # Those of an earlier start would call webhooks that aren't up yet.
    for each in [*knative.admission(layout), *kserve.admission(layout)]:
        if each["kind"].endswith("WebhookConfiguration"):
            api.delete(api.path(each))
    manifests.apply_all(api, wanted)


def _apply_admission(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    manifests.apply_all(api, [*knative.admission(layout), *kserve.admission(layout)])
    name = _STAMP.rsplit("/", 1)[1]
    place = {"name": name, "namespace": "kube-system"}
    data = {"edition": _edition(layout)}
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": data})


def _wait_for_pods(layout: Layout) -> None:
    """Wait until Knative's pods are ready. Raises LocalError, and is then run again."""
    api, left = Api(layout), list(_DATA_PLANE)
    until = time.monotonic() + _PATIENCE
    while left and time.monotonic() < until:
        left = [each for each in left if not _is_available(api, *each)]
        time.sleep(_LOOK if left else 0)
    if left:
        names = ", ".join(f"{namespace}/{name}" for namespace, name in left)
        raise LocalError(f"not ready: {names}; see: make status")


def _is_available(api: Api, namespace: str, name: str) -> bool:
    found = api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    return condition_status(found, "Available") == "True"
