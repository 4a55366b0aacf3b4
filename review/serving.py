"""How a model is served: the inputs of a ServedModel component, from infra/manifests/summary.py."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AliasPath, BeforeValidator, Field, ValidationError

from review.reading import Document

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


def parse_quantity(value: Any) -> Decimal:
    """A Kubernetes quantity in its base unit. Raises ValueError."""
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("allowed: a Kubernetes quantity: 500m, 2, 512Mi, 4Gi")
    return Decimal(match[1]) * _FACTORS.get(match[2], Decimal(1))


Quantity = Annotated[Decimal, BeforeValidator(parse_quantity)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class Pods(Document):
    """The pods of a component: CPUs, bytes of memory and GPUs of each, and how many."""

    cpu: Quantity
    memory: Quantity
    min_replicas: Count
    max_replicas: Count
    gpus: Count = 0
    accelerator: str | None = None
    spot: bool = False


class Canary(Document):
    """Another release, its share of the traffic, and the number of its pods."""

    release: str
    storage_uri: str
    traffic_percent: Annotated[int, Field(ge=0, le=100)]
    min_replicas: Count
    max_replicas: Count


class ServedModel(Document):
    """The inputs of the component."""

    release: str
    storage_uri: str
    canary: Canary | None = None
    requires: str | None = None
    device: Literal["cpu", "gpu"]
    protocol: Literal["http", "grpc"]
    placement: Literal["separate", "collocated"]
    mode: Literal["Standard", "Knative"]
    container: str
    predictor: Pods
    transformer: Pods | None = None
    transformer_image: str | None = Field(None, validation_alias=AliasPath("transformer", "image"))

    @property
    def folder(self) -> str:
        """The last part of the storage URI: the folder of the bucket that Triton loads."""
        return self.storage_uri.rpartition("/")[2]

    @property
    def switches(self) -> dict[str, str]:
        """Device, protocol, placement and mode, as the comment shows them."""
        return {
            "device": self.device.upper(),
            "protocol": {"http": "HTTP", "grpc": "gRPC"}[self.protocol],
            "placement": self.placement if self.transformer else "no transformer",
            "mode": self.mode,
        }

    @property
    def pods(self) -> dict[str, Pods]:
        """Its pods by component. A collocated transformer is a container of the predictor's."""
        predictor = self.predictor
        if self.transformer and self.placement == "collocated":
            cpu = predictor.cpu + self.transformer.cpu
            memory = predictor.memory + self.transformer.memory
            predictor = predictor.model_copy(update={"cpu": cpu, "memory": memory})
        pods = {"predictor": predictor}
        if self.canary and self.canary.storage_uri != self.storage_uri:
            pods = {"predictor": self._beside_canary(predictor, self.canary.min_replicas)}
            low, high = self.canary.min_replicas, self.canary.max_replicas
            pods["canary"] = predictor.model_copy(
                update={"min_replicas": low, "max_replicas": high}
            )
        if self.transformer and self.placement == "separate":
            pods["transformer"] = self.transformer
        return pods

    def _beside_canary(self, predictor: Pods, canary: int) -> Pods:
        """In Standard mode KServe takes the canary's pods from the others, and leaves one."""
        if self.mode == "Knative":
            return predictor
        low, high = predictor.min_replicas, predictor.max_replicas
        left = max(low - canary, 1)
        # Without autoscaling both are the number of pods.
        replicas = {"min_replicas": left, "max_replicas": left if low == high else high}
        return predictor.model_copy(update=replicas)


def parse_served_model(inputs: dict[str, Any]) -> ServedModel | None:
    """None for inputs that are not a ServedModel's."""
    try:
        return ServedModel.model_validate(inputs)
    except ValidationError:
        return None
