"""The sections of a stack's configuration: names, types, defaults, descriptions, rules."""

from infra.sections.base import Section, merged
from infra.sections.cloud import Identity, Storage
from infra.sections.monitoring import Monitoring
from infra.sections.proof import Jobs, Objectives, Perf, Verification
from infra.sections.serving import Canary, Component, Predictor, Toleration, Transformer, Triton
from infra.sections.stack import Knative, ModelSettings, Network, Promotion, StackSettings

__all__ = [
    "Canary",
    "Component",
    "Identity",
    "Jobs",
    "Knative",
    "ModelSettings",
    "Monitoring",
    "Network",
    "Objectives",
    "Perf",
    "Predictor",
    "Promotion",
    "Section",
    "StackSettings",
    "Storage",
    "Toleration",
    "Transformer",
    "Triton",
    "Verification",
    "merged",
]
