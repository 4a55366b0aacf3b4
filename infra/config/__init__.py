"""A stack's configuration: the sections, as frozen typed values. `settings` reads them."""

from infra.config.base import Section, merged
from infra.config.cloud import IdentitySettings, Storage
from infra.config.cluster import KnativeSettings, MonitoringSettings, Network
from infra.config.jobs import Jobs, LoadTest, Objectives, Verification
from infra.config.model import Canary, HandlerSettings, ModelSettings
from infra.config.pods import (
    Compiler,
    Component,
    DeploymentStrategy,
    Predictor,
    Toleration,
    Transformer,
)
from infra.config.stack import Promotion, StackSettings
from infra.config.triton import Triton

__all__ = [
    "Canary",
    "Compiler",
    "Component",
    "DeploymentStrategy",
    "HandlerSettings",
    "IdentitySettings",
    "Jobs",
    "KnativeSettings",
    "LoadTest",
    "ModelSettings",
    "MonitoringSettings",
    "Network",
    "Objectives",
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
