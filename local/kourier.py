"""The objects of Kourier, Knative's ingress, from its own manifests: a controller, and Envoy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from local import knative, manifests
from local.toolchain import module, version

if TYPE_CHECKING:
    from local.api import Object

__all__ = ["CONTROLLER", "GATEWAY", "NAMESPACE", "VERSION", "foundation"]

NAMESPACE = "kourier-system"
CONTROLLER, GATEWAY = "net-kourier-controller", "3scale-kourier-gateway"
_MODULE = "knative.dev/net-kourier"
VERSION = version(_MODULE, knative.FOLDER)
# For several nodes.
_LEFT_OUT = ("HorizontalPodAutoscaler", "PodDisruptionBudget")
# Envoy's own back-off after a failed connection to the controller, which starts at the same time,
# is half a minute.
_BACK_OFF = {"base_interval": "0.1s", "max_interval": "1s"}


def foundation() -> list[Object]:
    """All of it, with one replica of each Deployment."""
    published = manifests.read(module(_MODULE, knative.FOLDER) / "config")
    found = [each for each in published if each["kind"] not in _LEFT_OUT]
    for each in found:
        if each["metadata"]["name"] == "kourier-bootstrap":
            each["data"] = {name: _eager(text) for name, text in each["data"].items()}
    return knative.in_pods(found, VERSION)


def _eager(bootstrap: str) -> str:
    """Envoy's configuration, with a short back-off towards the controller."""
    config = yaml.safe_load(bootstrap)
    (service,) = config["dynamic_resources"]["ads_config"]["grpc_services"]
    service["envoy_grpc"]["retry_policy"] = {"retry_back_off": _BACK_OFF}
    return yaml.safe_dump(config)
