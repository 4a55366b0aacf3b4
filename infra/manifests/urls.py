"""URLs of a model, as plain text, so that previews know them.

Names of Services and hosts are KServe 0.20's: NAME-predictor and NAME-transformer inside the
cluster. Outside, Knative's ingress knows both under NAMESPACE.DOMAIN, whether or not KServe adds a
shorter name by Istio; in Standard mode KServe's own ingress has NAME-NAMESPACE.DOMAIN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.types import Mode, Placement, Protocol
from infra.manifests.names import CANARY, GRPC_PORT, TRANSFORMER_PORT, pods_name

if TYPE_CHECKING:
    from infra.config import ModelSettings
    from infra.manifests.served_release import ServedRelease


def service_host(name: str, namespace: str, component: str) -> str:
    """A component's Service inside the cluster."""
    return f"{name}-{component}.{namespace}.svc.cluster.local"


def transformer_url(name: str, namespace: str, settings: ModelSettings) -> str | None:
    """Base URL of the transformer; None without one."""
    if not settings.transformer.enabled:
        return None
    separate = settings.placement is Placement.SEPARATE
    return f"http://{service_host(name, namespace, 'transformer' if separate else 'predictor')}"


def predictor_url(name: str, namespace: str, settings: ModelSettings) -> str | None:
    """Base URL of Triton, host:port for gRPC; None where only the transformer has an address."""
    if settings.placement is Placement.COLLOCATED:
        return None
    host = service_host(name, namespace, "predictor")
    return f"{host}:80" if settings.protocol is Protocol.GRPC else f"http://{host}"


def predictor_port(settings: ModelSettings) -> int:
    """Triton's port in pods without a transformer."""
    return GRPC_PORT if settings.protocol is Protocol.GRPC else TRANSFORMER_PORT


def pods_address(name: str, namespace: str, settings: ModelSettings) -> str:
    """The Service over the predictor's pods: host:port."""
    return f"{pods_name(name)}.{namespace}:{predictor_port(settings)}"


def canary_host(name: str, namespace: str, mode: Mode) -> str:
    """The canary's own Service: by Knative's tag of the newest revision, or KServe's own."""
    if mode is Mode.KNATIVE:
        return f"latest-{service_host(name, namespace, 'predictor')}"
    return service_host(name, namespace, f"{CANARY}-predictor")


def outer_url(served: ServedRelease) -> str | None:
    """Base URL outside the cluster; None without a domain."""
    name, namespace = served.name, served.namespace
    if not served.domain:
        return None
    host = f"{name}-{namespace}"
    if served.settings.mode is Mode.KNATIVE:
        host = f"{name}-{_entrance(served)}.{namespace}"
    return f"{served.url_scheme.value}://{host}.{served.domain}"


def predict_url(served: ServedRelease) -> str:
    """The URL for predictions: V1 `:predict` of the transformer, else V2 `infer` of Triton."""
    name = served.name
    inside = f"http://{service_host(name, served.namespace, _entrance(served))}"
    path = f"v1/models/{name}:predict"
    if not served.settings.transformer.enabled:
        path = f"v2/models/{name}/infer"
    return f"{outer_url(served) or inside}/{path}"


def _entrance(served: ServedRelease) -> str:
    """The component that clients ask."""
    return "transformer" if served.settings.separate_transformer else "predictor"
