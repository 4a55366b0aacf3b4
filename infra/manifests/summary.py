"""A model's inputs as its component registers them, so that previews show what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.config.types import Device, Mode
from infra.manifests.inference_service import canary_replicas

if TYPE_CHECKING:
    from infra.config import Component
    from infra.manifests.served_release import ServedRelease


def summarize(
    stable: ServedRelease, canary: ServedRelease | None, requires: str | None
) -> dict[str, Any]:
    """Release, canary, device, protocol, placement, mode, replicas, images; plain JSON values.

    `requires` is the stack whose load test the releases must have passed.
    """
    settings = stable.settings
    gpu = settings.device is Device.GPU
    predictor = _pods(settings.predictor) | {
        "gpus": settings.predictor.gpus if gpu else 0,
        "accelerator": settings.predictor.accelerator if gpu else None,
        "spot": settings.predictor.spot,
    }
    transformer = settings.transformer
    return {
        "model": stable.name,
        "release": stable.artefact.digest,
        "format": stable.artefact.release.format,
        "storageUri": stable.storage_uri,
        "canary": _canary(canary) if canary else None,
        "requires": requires,
        "device": settings.device.value,
        "protocol": settings.protocol.value,
        "placement": settings.placement.value,
        "mode": settings.mode.value,
        "container": settings.triton.image or settings.triton.container,
        "predictor": predictor,
        "transformer": _pods(transformer) | {"image": transformer.image}
        if transformer.enabled
        else None,
        "handler": settings.handler.model_dump(mode="json", exclude_unset=True) or None,
    }


def _canary(canary: ServedRelease) -> dict[str, Any]:
    settings, wanted = canary.settings, canary.settings.canary
    assert wanted is not None
    fixed = canary_replicas(settings.predictor, wanted.traffic_percent)
    knative = settings.mode is Mode.KNATIVE
    return {
        "release": canary.artefact.digest,
        "storageUri": canary.storage_uri,
        "trafficPercent": wanted.traffic_percent,
        # Under Knative it is a revision like the one before it.
        "minReplicas": settings.predictor.min_replicas if knative else fixed,
        "maxReplicas": settings.predictor.max_replicas if knative else fixed,
    }


def _pods(component: Component) -> dict[str, Any]:
    return {
        "cpu": component.cpu,
        "memory": component.memory,
        "minReplicas": component.min_replicas,
        "maxReplicas": component.max_replicas,
    }
