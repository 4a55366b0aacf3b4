"""The containers of a Kubernetes resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.properties import Properties, at, kind, mappings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy.rule import Resource

COMPONENTS = ("predictor", "transformer", "explainer")
_TEMPLATE = ("spec", "template", "spec")
# Kind to the path of its pod spec. A Knative Service has one there, a core Service has nothing.
POD_SPECS = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "ServingRuntime": ("spec",),
    "ClusterServingRuntime": ("spec",),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
} | dict.fromkeys(
    "Configuration DaemonSet Deployment Job ReplicaSet ReplicationController Service"
    " StatefulSet".split(),
    _TEMPLATE,
)
# Keys of a component that are a container whose image KServe sets: `model`, and the older keys
# named by frameworks (PredictorSpec and ExplainerSpec of KServe v1beta1).
SERVED_BY_RUNTIME = (
    "model triton pytorch onnx tensorflow sklearn xgboost lightgbm huggingface pmml paddle art"
).split()


@dataclass(frozen=True)
class Container:
    """A container and its path for messages. `served`: KServe's runtime completes it."""

    where: str
    spec: Properties
    served: bool = False


def containers(resource: Resource) -> Iterator[Container]:
    """Every container of a resource; none if it has no pods."""
    name = kind(resource.type)
    if name == "InferenceService":
        for component in COMPONENTS:
            yield from component_containers(resource.properties, component)
    elif name in POD_SPECS:
        path = POD_SPECS[name]
        yield from _pod(at(resource.properties, *path), ".".join(path))


def component_containers(properties: Properties, component: str) -> Iterator[Container]:
    """The containers of an InferenceService's predictor, transformer or explainer."""
    spec, where = at(properties, "spec", component), f"spec.{component}"
    for key in SERVED_BY_RUNTIME:
        served = at(spec, key)
        if isinstance(served, Mapping):
            yield Container(f"{where}.{key}", served, served=True)
    yield from _pod(spec, where)
    yield from _pod(at(spec, "workerSpec"), f"{where}.workerSpec")


def _pod(spec: object, where: str) -> Iterator[Container]:
    for key in ("initContainers", "containers"):
        for index, each in enumerate(mappings(at(spec, key))):
            yield Container(f"{where}.{key}[{each.get('name', index)}]", each)
