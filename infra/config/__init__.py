"""The sections of a stack's configuration: names, types, defaults, descriptions, rules."""

from infra.config.base import Section, merged
from infra.config.cloud import Identity, Storage
from infra.config.monitoring import Monitoring
from infra.config.proof import Jobs, Objectives, Perf, Verification
from infra.config.serving import Canary, Component, Predictor, Toleration, Transformer, Triton
from infra.config.stack import Knative, ModelSettings, Network, Promotion, StackSettings

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
