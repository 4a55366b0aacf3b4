"""The sections of a stack's configuration: names, types, defaults, descriptions, rules."""

from infra.sections.base import Section
from infra.sections.cloud import Identity, Storage
from infra.sections.proof import Jobs, Objectives, Perf, Verification
from infra.sections.serving import Component, Predictor, Toleration, Transformer, Triton
from infra.sections.stack import Knative, ModelSettings, StackSettings

__all__ = [
    "Component",
    "Identity",
    "Jobs",
    "Knative",
    "ModelSettings",
    "Objectives",
    "Perf",
    "Predictor",
    "Section",
    "StackSettings",
    "Storage",
    "Toleration",
    "Transformer",
    "Triton",
    "Verification",
]
