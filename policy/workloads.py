"""Rules for workloads: images by digest, limits, a bound on GPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from policy.containers import COMPONENTS, Container, component_containers, containers
from policy.properties import Properties, at, kind, number
from policy.rule import Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
BOUNDED = ("cpu", "memory")
# NVIDIA's device plugin offers GPUs as nvidia.com/gpu and slices as nvidia.com/mig-….
GPU_PREFIX = "nvidia.com/"
NOTHING = frozenset({"0", "0.0", "None"})
MAXIMUM = 16


def _by_digest(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        image = at(container.spec, "image")
        if isinstance(image, str) and PINNED.fullmatch(image):
            # KServe ignores runtimeVersion if the image has a digest.
            continue
        if image is not None or not container.served:
            yield f"{container.where}: image {image or 'unset'} is not pinned by digest"
        else:
            version = at(container.spec, "runtimeVersion")
            source = f"the tag {version}" if version else "KServe's runtime"
            yield f"{container.where}: no image is set, {source} decides"


def _limits(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        found = at(container.spec, "resources", "limits")
        missing = [each for each in BOUNDED if not at(found, each)]
        if missing:
            yield f"{container.where}: no limit of {' and '.join(missing)}"


def _gpu_replicas(resource: Resource) -> Iterable[str]:
    if kind(resource.type) != "InferenceService":
        return
    allowed = int(number(resource.settings.get("maximum")) or MAXIMUM)
    for component in COMPONENTS:
        found = component_containers(resource.properties, component)
        if any(_has_gpu(container) for container in found):
            yield from _replicas(at(resource.properties, "spec", component), component, allowed)


def _replicas(spec: Properties, component: str, allowed: int) -> Iterable[str]:
    replicas = number(at(spec, "maxReplicas"))
    where = f"spec.{component}.maxReplicas"
    if not replicas or replicas < 0:
        # For Knative 0 means no bound, and a missing value means 0.
        yield f"{where} is {'unset' if replicas is None else f'{replicas:g}'}: no bound on GPUs"
        return
    canary = number(at(spec, "canaryTrafficPercent"))
    # Until a canary has all traffic, the previous revision runs too, with the same bound.
    revisions = 2 if canary is not None and canary < 100 else 1
    if replicas * revisions > allowed:
        each = " for each of two revisions" if revisions > 1 else ""
        yield f"{where} is {replicas:g}{each}; allowed: {allowed} in all"


def _has_gpu(container: Container) -> bool:
    resources = (at(container.spec, "resources", each) for each in ("limits", "requests"))
    return any(
        name.startswith(GPU_PREFIX) and str(amounts[name]) not in NOTHING
        for amounts in resources
        if isinstance(amounts, Mapping)
        for name in amounts
    )


RULES = (
    Rule(
        "images-by-digest",
        "Images are named by their digest, so that what was reviewed is what runs.",
        "pin it as NAME@sha256:DIGEST: triton.image, transformer.image or jobs.image",
        _by_digest,
    ),
    Rule(
        "container-limits",
        "Containers have limits, so that none can use up its node.",
        "set resources.limits.cpu and resources.limits.memory",
        _limits,
    ),
    Rule(
        "gpu-replicas-bounded",
        "The number of GPUs that a stack can use is bounded.",
        "set maxReplicas, or raise the pack's maximum in policy/config.*.json",
        _gpu_replicas,
        {"maximum": {"type": "integer", "minimum": 1, "default": MAXIMUM}},
    ),
)
