"""What an InferenceService asks for, read from its manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from review.reading import dig, text

if TYPE_CHECKING:
    from collections.abc import Iterable

MODE = "serving.kserve.io/deploymentMode"
ACCELERATOR, SPOT = "cloud.google.com/gke-accelerator", "cloud.google.com/gke-spot"
GIB = Decimal(2**30)
_QUANTITY = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
# Kubernetes' suffixes of quantities.
_FACTORS = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": GIB,
    "Ti": Decimal(2**40),
}
_MOST_REPLICAS = 100_000


@dataclass(frozen=True)
class Part:
    """A component's pods: CPUs, bytes and GPUs each, and how many; None where nothing says."""

    name: str
    cpu: Decimal | None
    memory: Decimal | None
    gpus: int
    accelerator: str | None
    spot: bool
    minimum: int
    maximum: int | None


@dataclass(frozen=True)
class Service:
    """How a model is served; None where the manifest says nothing."""

    storage_uri: str | None
    container: str | None
    device: str
    protocol: str
    placement: str
    mode: str | None
    transformer: str | None
    release: str | None
    parts: tuple[Part, ...]

    @property
    def version(self) -> str | None:
        """The folder of the bucket that Triton loads."""
        return self.storage_uri.rpartition("/")[2] if self.storage_uri else None


def read_service(name: str, manifest: dict[str, Any]) -> Service:
    """Of the inputs of an InferenceService; anything may be missing or be something else."""
    spec = dig(manifest, "spec")
    parts = tuple(
        _part(part, dig(spec, part))
        for part in ("predictor", "transformer")
        if isinstance(dig(spec, part), dict)
    )
    gpu = any(part.gpus for part in parts)
    grpc = str(dig(spec, "predictor", "model", "protocolVersion")).startswith("grpc")
    beside = _containers(dig(spec, "predictor"))
    own = _containers(dig(spec, "transformer"))
    placement = "separate" if own else "collocated" if beside else "no transformer"
    return Service(
        storage_uri=text(dig(spec, "predictor", "model", "storageUri")),
        container=text(dig(spec, "predictor", "model", "runtimeVersion")),
        device="GPU" if gpu else "CPU",
        protocol="gRPC" if grpc else "HTTP",
        placement=placement,
        mode=text(dig(manifest, "metadata", "annotations", MODE)),
        transformer=text(dig([*own, *beside], 0, "image")),
        release=_release(name, spec),
        parts=parts,
    )


def quantity(value: Any) -> Decimal | None:
    """A Kubernetes quantity in its base unit; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    return Decimal(match[1]) * _FACTORS.get(match[2], Decimal(1)) if match else None


def _part(name: str, component: dict[str, Any]) -> Part:
    found = [dig(component, "model"), *_containers(component)]
    containers = [each for each in found if each is not None]
    selector = dig(component, "nodeSelector")
    low = _replicas(dig(component, "minReplicas"))
    high = _replicas(dig(component, "maxReplicas"))
    # KServe's defaults: one replica; without an upper bound, or with 0, there is none.
    minimum = 1 if low is None else low
    return Part(
        name=name,
        cpu=_sum(_limit(each, "cpu") for each in containers),
        memory=_sum(_limit(each, "memory") for each in containers),
        gpus=int(_sum(_limit(each, "nvidia.com/gpu") or Decimal(0) for each in containers) or 0),
        accelerator=text(dig(selector, ACCELERATOR)),
        spot=dig(selector, SPOT) == "true",
        minimum=minimum,
        maximum=max(high, minimum) if high else None,
    )


def _containers(component: Any) -> list[Any]:
    found = dig(component, "containers")
    return found if isinstance(found, list) else []


def _limit(container: Any, resource: str) -> Decimal | None:
    limit = dig(container, "resources", "limits", resource)
    return quantity(dig(container, "resources", "requests", resource) if limit is None else limit)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Of all; None if one of them is unknown."""
    total = None
    for amount in amounts:
        if amount is None:
            return None
        total = (total or Decimal(0)) + amount
    return total


def _replicas(value: Any) -> int | None:
    found = quantity(value)
    return None if found is None else min(int(found), _MOST_REPLICAS)


def _release(name: str, spec: Any) -> str | None:
    """The beginning of the release's digest, from the ConfigMap that the transformer follows."""
    prefix = f"release-{name}-"
    for component in ("transformer", "predictor"):
        volumes = dig(spec, component, "volumes")
        for volume in volumes if isinstance(volumes, list) else []:
            config_map = text(dig(volume, "configMap", "name")) or ""
            if config_map.startswith(prefix):
                return config_map.removeprefix(prefix)
    return None
