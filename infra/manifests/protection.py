"""Network policies, disruption budgets, and the Service over the predictor's pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Mode, Placement
from infra.manifests.handler import fetches_handler
from infra.manifests.names import (
    GRPC_PORT,
    KNATIVE_NAMESPACE,
    QUEUE_METRICS_PORTS,
    QUEUE_PORTS,
    TRANSFORMER_PORT,
    TRITON_METRICS_PORT,
    Manifest,
    job_labels,
    labels,
    pod_labels,
    pods_name,
)
from infra.manifests.scaling import components
from infra.manifests.urls import predictor_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.config import ModelSettings, Network
    from infra.manifests.served_release import ServedRelease

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# GKE's metadata server with Workload Identity: its addresses on a node and in a pod.
METADATA = (("169.254.169.252/32", 988), ("169.254.169.254/32", 80))


def disruption_budgets(name: str, namespace: str, settings: ModelSettings) -> dict[str, Manifest]:
    """A PodDisruptionBudget by name, for each component with more than one pod."""
    return {
        f"{name}-{role}": {
            "metadata": _metadata(f"{name}-{role}", name, namespace),
            "spec": {
                "maxUnavailable": part.max_unavailable,
                "selector": {"matchLabels": pod_labels(name, role)},
            },
        }
        for role, part in components(settings).items()
        if part.min_replicas > 1
    }


def pods_service(name: str, namespace: str, settings: ModelSettings) -> Manifest:
    """The Service over the predictor's pods, of stable and canary.

    The transformer sends requests to its addresses in turn. A server of the user's own knows one
    address, which leads each connection to a random pod. KServe counts the pods of a canary so that
    their share is that of the traffic; it splits nothing itself.
    """
    port = predictor_port(settings)
    headless = {} if settings.transformer.own else {"clusterIP": "None"}
    selector = pod_labels(name, "predictor")
    if settings.canary and not settings.canary.traffic_percent:
        # The canary waits: only the stable pods, by the label that KServe gives a Deployment's.
        selector |= {"app": f"isvc.{name}-predictor"}
    # It is created before the first pod, so it has no endpoints to wait for.
    annotations = {"pulumi.com/skipAwait": "true"}
    return {
        "metadata": _metadata(pods_name(name), name, namespace) | {"annotations": annotations},
        "spec": headless
        | {
            "selector": selector,
            "ports": [
                {"name": "h2c" if port == GRPC_PORT else "http", "port": port, "protocol": "TCP"}
            ],
        },
    }


def network_policies(served: ServedRelease, network: Network) -> dict[str, Manifest]:
    """NetworkPolicies by name, one for each component's pods."""
    name, namespace, settings = served.name, served.namespace, served.settings
    roles = ["predictor", "transformer"] if settings.separate_transformer else ["predictor"]
    return {
        f"{name}-{role}": {
            "metadata": _metadata(f"{name}-{role}", name, namespace),
            "spec": {
                "podSelector": {"matchLabels": pod_labels(name, role)},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": _ingress(name, role, settings, network),
                "egress": _egress(served, role, network),
            },
        }
        for role in roles
    }


def _ingress(name: str, role: str, settings: ModelSettings, network: Network) -> list[Manifest]:
    knative = settings.mode is Mode.KNATIVE
    callers: list[Manifest] = [{"podSelector": {"matchLabels": job_labels(name)}}]
    behind = role == "predictor" and settings.separate_transformer
    if behind:
        callers.append({"podSelector": {"matchLabels": pod_labels(name, "transformer")}})
    if knative or not behind:
        # Under Knative every request, the transformer's too, comes from a gateway or the activator.
        callers += _namespaces(network.ingress_namespaces)
    if not behind:
        callers += _namespaces(network.client_namespaces)
        callers += [{"ipBlock": {"cidr": cidr}} for cidr in network.client_cidrs]
    made = [{"from": callers, "ports": _tcp(QUEUE_PORTS if knative else _ports(role, settings))}]
    scraped = [TRITON_METRICS_PORT, TRANSFORMER_PORT, *(QUEUE_METRICS_PORTS if knative else ())]
    if network.metrics_namespaces:
        made.append({"from": _namespaces(network.metrics_namespaces), "ports": _tcp(scraped)})
    if knative:
        # The autoscaler scrapes the queue-proxy.
        autoscaler = _namespaces((KNATIVE_NAMESPACE,))
        made.append({"from": autoscaler, "ports": _tcp(QUEUE_METRICS_PORTS)})
    return made


def _ports(role: str, settings: ModelSettings) -> list[int]:
    if role == "transformer" or settings.placement is Placement.COLLOCATED:
        return [TRANSFORMER_PORT]
    return [predictor_port(settings)]


def _egress(served: ServedRelease, role: str, network: Network) -> list[Manifest]:
    made: list[Manifest] = [{"ports": [{"port": 53, "protocol": each} for each in ("UDP", "TCP")]}]
    if role == "transformer":
        predictor = {"podSelector": {"matchLabels": pod_labels(served.name, "predictor")}}
        to: list[Manifest] = [predictor]
        if served.settings.mode is Mode.KNATIVE:
            to += _namespaces(network.ingress_namespaces)
        made.append({"to": to})
    collector = served.settings.transformer.traces
    if collector and role == _role_of_transformer(served.settings):
        made.append({"ports": _tcp((int(collector.rpartition(":")[2]),))})
    if role == "transformer" and not fetches_handler(served):
        return made
    # The storage initializer gets its credentials from the metadata server, the model by HTTPS.
    metadata = [
        {"to": [{"ipBlock": {"cidr": cidr}}], "ports": _tcp((port,))} for cidr, port in METADATA
    ]
    return [*made, *metadata, {"ports": _tcp((443,))}]


def _role_of_transformer(settings: ModelSettings) -> str:
    return "transformer" if settings.separate_transformer else "predictor"


def _namespaces(names: Iterable[str]) -> list[Manifest]:
    values = sorted(names)
    if not values:
        return []
    match = {"key": NAMESPACE_LABEL, "operator": "In", "values": values}
    return [{"namespaceSelector": {"matchExpressions": [match]}}]


def _tcp(ports: Iterable[int]) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _metadata(name: str, model: str, namespace: str) -> Manifest:
    return {"name": name, "namespace": namespace, "labels": labels(model)}
