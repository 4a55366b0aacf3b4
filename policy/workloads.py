"""Rules for workloads: images by digest, limits, a bound on GPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from policy.containers import Container, containers, pod_templates
from policy.properties import at, number
from policy.rule import Resource, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
BOUNDED = ("cpu", "memory")
# NVIDIA's device plugin offers GPUs as nvidia.com/gpu and slices as nvidia.com/mig-….
GPU_PREFIX = "nvidia.com/"
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


def _gpus(resource: Resource) -> Iterable[str]:
    allowed = int(number(resource.settings.get("maximum")) or MAXIMUM)
    total, parts = 0.0, []
    for pods in pod_templates(resource):
        each = max(pods.gpus, sum(_gpus_of(container) for container in pods.containers))
        if not each:
            continue
        if pods.most is None:
            yield f"{pods.where} has GPUs, and no bound on its pods"
            continue
        total += pods.most * each
        parts.append(f"{pods.where} {pods.most:g} pods of {each:g}")
    if total > allowed:
        yield f"{total:g} GPUs at most ({', '.join(parts)}); allowed: {allowed} in all"


def _gpus_of(container: Container) -> float:
    """GPUs and slices of them, by limits or requests, whichever is more."""
    found = [at(container.spec, "resources", each) for each in ("limits", "requests")]
    return max(
        sum(_amount(value) for name, value in amounts.items() if name.startswith(GPU_PREFIX))
        for amounts in ({}, *(each for each in found if isinstance(each, Mapping)))
    )


def _amount(value: object) -> float:
    """A number as the engine or a text has it. One that can't be read counts as 1."""
    try:
        return max(float(str(value)), 0.0) if value is not None else 0.0
    except ValueError:
        return 1.0


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
        "gpus-bounded",
        "The number of GPUs that a resource can use is bounded, canaries included.",
        "set a lower maxReplicas or gpus, or raise the pack's maximum in policy/config.*.json",
        _gpus,
        {"maximum": {"type": "integer", "minimum": 1, "default": MAXIMUM}},
    ),
)
