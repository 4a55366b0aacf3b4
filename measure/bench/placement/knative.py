"""A model in mode Knative whose requests pass the activator, beside one whose requests do not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local.api import condition_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Api

__all__ = ["add_activator", "pod_address", "wait_for"]

_SERVICES = "/apis/serving.knative.dev/v1/namespaces/models/services"
# One a revision; its mode is Proxy while the activator is in the path, else Serve.
_PATHS = "/apis/networking.internal.knative.dev/v1alpha1/namespaces/models/serverlessservices"
_SERVICE_LABEL = "serving.knative.dev/service"
_BURST_CAPACITY = "autoscaling.knative.dev/target-burst-capacity"
_ALWAYS_PROXY = "-1"
_PATIENCE = 120.0


def add_activator(api: Api, service: str, name: str) -> None:
    """Copy a Knative Service as `name`, with the activator in the path of the copy alone.

    Raises RuntimeError if that is not so after two minutes.
    """
    template = api.get(f"{_SERVICES}/{service}")["spec"]["template"]
    about = template["metadata"]
    annotations = about["annotations"] | {_BURST_CAPACITY: _ALWAYS_PROXY}
    copy = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "template": {
                "metadata": {"labels": about["labels"], "annotations": annotations},
                "spec": template["spec"],
            }
        },
    }
    api.request("POST", _SERVICES, copy)
    wait_for(
        lambda: condition_status(api.get(f"{_SERVICES}/{name}"), "Ready") == "True",
        f"Knative Service {name} is not ready",
    )
    wait_for(
        lambda: _only_in_path_of(api, name), f"the activator is not in the path of {name} alone"
    )


def _only_in_path_of(api: Api, name: str) -> bool:
    return all(
        (path["spec"]["mode"] == "Proxy") == (path["metadata"]["labels"][_SERVICE_LABEL] == name)
        for path in api.get(_PATHS)["items"]
    )


def pod_address(api: Api, service: str) -> str:
    """The address of the only pod of a Knative Service."""
    selector = f"labelSelector={_SERVICE_LABEL}%3D{service}"
    (pod,) = api.get(f"/api/v1/namespaces/models/pods?{selector}")["items"]
    return str(pod["status"]["podIP"])


def wait_for(condition: Callable[[], bool], failure: str) -> None:
    """Raises RuntimeError if a condition does not hold within two minutes."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{failure} after {_PATIENCE:.0f} s")
        time.sleep(0.2)
