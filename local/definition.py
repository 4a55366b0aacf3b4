"""The local cluster as a whole: its processes, and the objects that make it KServe's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import knative, kserve, manifests
from local.addons import addons
from local.api import Api
from local.control_plane import control_plane
from local.layout import ROOT
from local.spec import Process, Task

if TYPE_CHECKING:
    from local.api import Object
    from local.layout import Layout

__all__ = ["processes", "tasks"]

_STAMP = "/api/v1/namespaces/kube-system/configmaps/kserve-triton-local"


def processes(layout: Layout) -> list[Process]:
    """All of them. The order has no meaning: `needs` has it."""
    port = layout.ports()
    return [*control_plane(layout, port), *addons(layout, port)]


def tasks(layout: Layout) -> list[Task]:
    """The cluster's own objects, in the two halves that admission makes of them."""
    return [
        Task("foundation", lambda: _lay_foundation(layout), needs=("kube-apiserver",)),
        Task(
            "admission",
            lambda: _admit(layout),
            needs=("foundation", "kserve-manager", "knative-webhook"),
        ),
    ]


def _edition(layout: Layout) -> str:
    """What the objects depend on, apart from this code: versions, ports, the authority."""
    authority = (layout.certificates / "ca.crt").read_text()
    code = [(ROOT / "local" / f"{name}.py").read_text() for name in ("kserve", "knative")]
    return manifests.digest(kserve.VERSION, knative.VERSION, layout.ports(), authority, code)


def _is_current(api: Api, layout: Layout) -> bool:
    stamp = api.find(_STAMP)
    return stamp is not None and stamp["data"] == {"edition": _edition(layout)}


def _lay_foundation(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    wanted: list[Object] = [*knative.foundation(), *kserve.foundation()]
    # Left by an older start they would wait for webhooks that aren't up yet.
    for each in [*knative.admission(layout), *kserve.admission(layout)]:
        if each["kind"].endswith("WebhookConfiguration"):
            api.delete(api.path(each))
    manifests.apply_all(api, wanted)


def _admit(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    manifests.apply_all(api, [*knative.admission(layout), *kserve.admission(layout)])
    name = _STAMP.rsplit("/", 1)[1]
    place = {"name": name, "namespace": "kube-system"}
    data = {"edition": _edition(layout)}
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": data})
