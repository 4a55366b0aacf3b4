"""Settings of one model, and the rules over several of them."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from infra.config import types as t
from infra.config.base import Section
from infra.config.jobs import LoadTest, Verification
from infra.config.pods import Compiler, Predictor, Transformer
from infra.config.scaling import scaling_rules
from infra.config.triton import Triton
from infra.config.types import Device, Mode, Placement

MIB = 1024**2
# Memory the server needs, measured over the largest images it takes; see tests/transformer.
SERVER_BYTES = 512 * MIB
# Memory of each further thread that decodes: the largest picture, in its file and in JSON.
THREAD_BYTES = 320 * MIB
# Memory of an interpreter with numpy and Pillow; see transformer/settings.py.
LEAST_HANDLER_MIB = 64


class Canary(Section):
    """Another release that gets some of the traffic."""

    release: t.ReleaseDigest = Field(description="digest of a release in the lock")
    traffic_percent: Annotated[int, Field(ge=0, le=99)] = Field(
        10, description="its share of requests; Standard mode: of pods, one at least"
    )


class HandlerSettings(Section):
    """The pre- and postprocessing that travels with the release."""

    parameters: dict[str, Any] = Field(
        {}, description="values of the handler's parameters, in place of the release's own"
    )
    memory: t.Quantity | None = Field(
        None, description="memory of each of the handler's processes; none: the container's"
    )

    @property
    def memory_mib(self) -> int | None:
        """The bound in MiB."""
        return None if self.memory is None else int(t.amount(self.memory)) // MIB

    @model_validator(mode="after")
    def _memory_suffices(self) -> Self:
        if self.memory_mib is not None and self.memory_mib < LEAST_HANDLER_MIB:
            raise ValueError(f"memory: found {self.memory}; allowed: {LEAST_HANDLER_MIB}Mi or more")
        return self


class ModelSettings(Section):
    """One model as the stack serves it: the stack's defaults with the model's own on top."""

    release: t.ReleaseDigest | None = Field(
        None, description="digest of an earlier release in the lock; none: the current one"
    )
    canary: Canary | None = Field(None, description="another release that gets part of the traffic")
    storage_uri: t.OciUri | None = Field(
        None, description="oci:// image that holds the model, instead of the bucket"
    )
    device: t.Device = Field(t.Device.CPU, description="cpu or gpu")
    protocol: t.Protocol = Field(
        t.Protocol.HTTP, description="http or grpc, between transformer and Triton"
    )
    placement: t.Placement = Field(
        t.Placement.SEPARATE, description="transformer in its own pods, or beside Triton"
    )
    mode: t.Mode = Field(t.Mode.STANDARD, description="Knative or Standard")
    triton: Triton = Field(Triton(), description="Triton's container and model configuration")
    predictor: Predictor = Field(Predictor(), description="Triton's pods")
    compiler: Compiler = Field(Compiler(), description="the Job that compiles, in format aoti")
    transformer: Transformer = Field(Transformer(), description="the server in front of Triton")
    handler: HandlerSettings = Field(
        HandlerSettings(), description="the release's pre- and postprocessing"
    )
    verification: Verification = Field(
        Verification(), description="the verification that it answers"
    )
    perf: LoadTest = Field(LoadTest(), description="the load test")

    @property
    def load_target(self) -> str:
        """Component that the load test asks: `transformer` or `predictor`."""
        return self.perf.target or ("transformer" if self.transformer.enabled else "predictor")

    @property
    def separate_transformer(self) -> bool:
        """Whether there is a transformer in pods of its own."""
        return self.transformer.enabled and self.placement is Placement.SEPARATE

    @property
    def decoding_threads(self) -> int:
        """Threads of the transformer that decode pictures: as its memory and CPU allow.

        Two for one CPU, so that a picture that takes long leaves one for the others.
        """
        spare = t.amount(self.transformer.memory) - SERVER_BYTES
        cpus = math.ceil(t.amount(self.transformer.cpu))
        return min(1 + int(spare // THREAD_BYTES), max(2, cpus))

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        broken = broken_rules(self)
        if broken:
            raise ValueError("\n".join(broken))
        return self


def broken_rules(model: ModelSettings) -> list[str]:
    """Every rule that these settings break, as `key: found x; allowed: y`."""
    broken = [*_device_rules(model), *_transformer_rules(model), *_canary_rules(model)]
    for name, component in (("predictor", model.predictor), ("transformer", model.transformer)):
        broken += scaling_rules(name, component, model.mode)
    return broken


def _device_rules(model: ModelSettings) -> list[str]:
    if model.predictor.gpu_sharing and model.predictor.gpus > 1:
        # GKE schedules no pod with more than one shared GPU.
        return [
            f"predictor.gpus: found {model.predictor.gpus} with gpuSharing; allowed: 1 there, or "
            "no gpuSharing"
        ]
    if model.triton.gpus and model.device is Device.CPU:
        return [f"triton.gpus: found {list(model.triton.gpus)} on device cpu; allowed: none there"]
    over = [gpu for gpu in model.triton.gpus if gpu >= model.predictor.gpus]
    if over:
        return [f"triton.gpus: found {over}; allowed: below predictor.gpus, {model.predictor.gpus}"]
    return []


def _transformer_rules(model: ModelSettings) -> list[str]:
    transformer, broken = model.transformer, []
    if transformer.enabled and not transformer.own and t.amount(transformer.memory) < SERVER_BYTES:
        broken.append(f"transformer.memory: found {transformer.memory}; allowed: 512Mi or more")
    if not transformer.enabled and model.placement is Placement.COLLOCATED:
        broken.append(
            "placement: found collocated without a transformer; allowed: separate, or "
            "transformer.enabled true"
        )
    if transformer.own and model.placement is Placement.COLLOCATED:
        broken.append(
            "placement: found collocated with transformer.args, where the verification can't "
            "reach Triton; allowed: separate"
        )
    if model.handler.model_fields_set and (transformer.own or not transformer.enabled):
        why = "transformer.args" if transformer.own else "transformer.enabled false"
        keys = ", ".join(sorted(model.handler.model_fields_set))
        broken.append(
            f"handler: found {keys} with {why}, where nothing runs the handler; allowed: none there"
        )
    return broken + _load_rules(model)


def _load_rules(model: ModelSettings) -> list[str]:
    if not model.perf.enabled:
        return []
    if model.perf.target == "transformer" and not model.transformer.enabled:
        return [
            "perf.target: found transformer where transformer.enabled is false; allowed: predictor"
        ]
    if model.perf.target == "predictor" and model.placement is Placement.COLLOCATED:
        return [
            "perf.target: found predictor in a collocated placement, where only the transformer "
            "is reached; allowed: transformer"
        ]
    return []


def _canary_rules(model: ModelSettings) -> list[str]:
    if model.canary is None:
        return []
    broken, nodes = [], model.predictor.cache_node_group
    if nodes:
        # KServe 0.20 labels a service with one cache, which all its new pods then mount.
        broken.append(
            f"canary: found one with predictor.cacheNodeGroup {nodes}, where KServe has one cache "
            "for both releases; allowed: one of the two settings"
        )
    if model.storage_uri:
        broken.append(
            "canary: found one with storageUri, an image of one release; allowed: none, or the "
            "bucket"
        )
    splits = model.separate_transformer
    if model.mode is Mode.STANDARD and not splits and model.canary.traffic_percent:
        broken.append(
            f"canary.trafficPercent: found {model.canary.traffic_percent} in mode Standard without "
            "a transformer in pods of its own, which would split the traffic; allowed: 0, "
            "placement separate, or mode Knative"
        )
    return broken
