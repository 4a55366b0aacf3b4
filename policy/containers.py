"""The pods of a Kubernetes resource: every template, its containers, and how many pods it makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policy.properties import Properties, at, kind, mappings, number, texts

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
# Kind to the path of its number of pods, which is 1 where it is unset. Other kinds have no bound.
COUNTS = {
    "CronJob": ("spec", "jobTemplate", "spec", "parallelism"),
    "Job": ("spec", "parallelism"),
} | dict.fromkeys(
    ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet"), ("spec", "replicas")
)
SINGLE = ("Pod", "PodTemplate")
# Templates that make no pods themselves: KServe completes those of InferenceServices with them.
COUNTED_ELSEWHERE = ("ServingRuntime", "ClusterServingRuntime")
# Knative's bound, an annotation of the template; 0 is no bound.
MAX_SCALE = ("autoscaling.knative.dev/max-scale", "autoscaling.knative.dev/maxScale")
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


@dataclass(frozen=True)
class Pods:
    """A pod template: its path, its containers, and the most pods it makes; None: no bound.

    Each pod has `gpus` at least, whatever its containers ask for.
    """

    where: str
    containers: tuple[Container, ...]
    most: float | None
    gpus: float = 0


def containers(resource: Resource) -> Iterator[Container]:
    """Every container of a resource; none if it has no pods."""
    for pods in pod_templates(resource):
        yield from pods.containers


def pod_templates(resource: Resource) -> Iterator[Pods]:
    """Every pod template of a resource."""
    name, properties = kind(resource.type), resource.properties
    if name == "InferenceService":
        yield from _inference_service(at(properties, "spec"))
    elif name in POD_SPECS:
        path = POD_SPECS[name]
        where = ".".join(path)
        found = tuple(_containers(at(properties, *path), where))
        yield Pods(where, found, _count(name, properties))


def _inference_service(spec: object) -> Iterator[Pods]:
    for component in COMPONENTS:
        found = at(spec, component)
        most = _positive(at(found, "maxReplicas"))
        canary = number(at(found, "canaryTrafficPercent"))
        if most and canary is not None and canary < 100:
            # Under Knative the revision before a canary runs beside it, with the same bound.
            most *= 2
        yield from _component(found, f"spec.{component}", most)
    for index, each in enumerate(mappings(at(spec, "canary"))):
        # KServe completes it by the predictor, and its number of pods is fixed.
        found = _merged(at(spec, "predictor"), at(each, "predictor"))
        most = _positive(at(found, "minReplicas")) or 1
        yield from _component(found, f"spec.canary[{index}].predictor", most)


def _merged(under: object, over: object) -> object:
    """Objects merged key by key; other values, lists too, replace those under them."""
    if not (isinstance(under, Mapping) and isinstance(over, Mapping)):
        return under if over is None else over
    return {key: _merged(under.get(key), over.get(key)) for key in [*under, *over]}


def _component(spec: object, where: str, most: float | None) -> Iterator[Pods]:
    yield Pods(where, tuple(_component_containers(spec, where)), most)
    workers, where = at(spec, "workerSpec"), f"{where}.workerSpec"
    if isinstance(workers, Mapping):
        # KServe gives a replica pipelineParallelSize × tensorParallelSize GPUs, each 1 by default.
        nodes = _positive(at(workers, "pipelineParallelSize")) or 1
        gpus = _positive(at(workers, "tensorParallelSize")) or 1
        yield Pods(where, tuple(_containers(workers, where)), most and most * nodes, gpus)


def _component_containers(spec: object, where: str) -> Iterator[Container]:
    for key in SERVED_BY_RUNTIME:
        served = at(spec, key)
        if isinstance(served, Mapping):
            yield Container(f"{where}.{key}", served, served=True)
    yield from _containers(spec, where)


def _containers(spec: object, where: str) -> Iterator[Container]:
    for key in ("initContainers", "containers"):
        for index, each in enumerate(mappings(at(spec, key))):
            yield Container(f"{where}.{key}[{each.get('name', index)}]", each)


def _count(name: str, properties: Properties) -> float | None:
    if name in COUNTED_ELSEWHERE:
        return 0
    if name in SINGLE:
        return 1
    if name in COUNTS:
        found = number(at(properties, *COUNTS[name]))
        return 1 if found is None else found
    annotations = at(properties, "spec", "template", "metadata", "annotations")
    # Annotations are texts.
    bounds = [text for key in MAX_SCALE for text in texts(at(annotations, key))]
    return _positive(float(bounds[0])) if bounds and bounds[0].isdecimal() else None


def _positive(value: object) -> float | None:
    """A number above 0, else None: for Knative 0 is no bound, and a missing value is 0."""
    found = number(value)
    return found if found and found > 0 else None
