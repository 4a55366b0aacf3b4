"""The addresses of a model on this machine, by its InferenceService and the node's ports. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from local.api import Object

__all__ = ["Book", "endpoint", "gateway"]

# HOST:PORT on this machine by NAMESPACE/SERVICE and port.
Book = dict[str, dict[str, str]]
# The Service of Knative's ingress.
_GATEWAY = "kourier-system/kourier"
_MODE = "serving.kserve.io/deploymentMode"
_PORT = "80"


def gateway(book: Book) -> str | None:
    """Knative's ingress on this machine."""
    return book.get(_GATEWAY, {}).get(_PORT)


def endpoint(service: Object, book: Book) -> dict[str, str | None]:
    """`predict` by V1, and Triton by V2; None where nothing speaks that.

    Under Knative all are names at `gateway`, which tells models apart by the header Host; `host` is
    that of the transformer, or of Triton without one.
    """
    name, spec = service["metadata"]["name"], service["spec"]
    knative = service["metadata"]["annotations"].get(_MODE) == "Knative"
    address = _hosts(service, book) if knative else _services(service, book)
    collocated = bool(spec["predictor"].get("containers"))
    front = "transformer" if "transformer" in spec else "predictor"
    triton = None if collocated else address.get("predictor")
    predict = address.get(front) if collocated or "transformer" in spec else None
    grpc = spec["predictor"]["model"]["protocolVersion"] == "grpc-v2"
    found = {
        "predict": f"http://{predict}/v1/models/{name}:predict" if predict else None,
        "v2_http": f"http://{triton}" if triton and not grpc else None,
        "v2_grpc": triton if grpc else None,
    }
    if knative:
        host = address.get(front)
        found |= {"gateway": gateway(book), "host": host and host.rpartition(":")[0]}
    return found


def _services(service: Object, book: Book) -> dict[str, str]:
    """HOST:PORT of each component's Service."""
    about = service["metadata"]
    found = {
        component: book.get(f"{about['namespace']}/{about['name']}-{component}", {}).get(_PORT)
        for component in ("predictor", "transformer")
    }
    return {component: address for component, address in found.items() if address}


def _hosts(service: Object, book: Book) -> dict[str, str]:
    """Each component's host by Knative, with the gateway's port."""
    port = (gateway(book) or "").rpartition(":")[2]
    components = service.get("status", {}).get("components", {})
    hosts = {name: urlsplit(each.get("url", "")).hostname for name, each in components.items()}
    return {name: f"{host}:{port}" for name, host in hosts.items() if host and port}
