"""Rules over the settings of a component's replicas and the mode that they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.types import Mode, ScaleMetric

if TYPE_CHECKING:
    from infra.config.pods import Component

_METRICS = {
    Mode.KNATIVE: (ScaleMetric.CONCURRENCY, ScaleMetric.RPS),
    Mode.STANDARD: (ScaleMetric.CPU, ScaleMetric.MEMORY),
}
# Defaults of Knative's config-defaults, beyond which its webhook refuses revisions.
_TIMEOUT, _CONCURRENCY = 600, 1000


def scaling_rules(name: str, component: Component, mode: Mode) -> list[str]:
    """Every rule that a component breaks, as `key: found x; allowed: y`."""
    broken = []
    if component.scale_metric and component.scale_metric not in _METRICS[mode]:
        broken.append(
            f"scaleMetric: found {component.scale_metric.value} in mode {mode.value}; "
            f"allowed: {' or '.join(metric.value for metric in _METRICS[mode])}"
        )
    if component.idle_seconds and (mode is Mode.STANDARD or component.min_replicas):
        broken.append(
            f"idleSeconds: found {component.idle_seconds} where nothing scales to zero; allowed: "
            "0, or mode Knative with minReplicas 0"
        )
    fixed = component.min_replicas == component.max_replicas
    if component.scaled_outside and (mode is Mode.KNATIVE or fixed):
        broken.append(
            f"{component.scaled_outside}: found one in mode {mode.value} with "
            f"{component.min_replicas} to {component.max_replicas} replicas; allowed: mode "
            "Standard, and a maxReplicas above minReplicas"
        )
    broken += (_knative if mode is Mode.KNATIVE else _standard)(component)
    return [f"{name}.{each}" for each in broken]


def _standard(component: Component) -> list[str]:
    broken = []
    if component.min_replicas == 0:
        broken.append("minReplicas: found 0 in mode Standard; allowed: 1 or more, or mode Knative")
    if component.container_concurrency:
        broken.append(
            f"containerConcurrency: found {component.container_concurrency} in mode Standard; "
            "allowed: 0, or mode Knative"
        )
    return broken


def _knative(component: Component) -> list[str]:
    broken = []
    if component.timeout_seconds > _TIMEOUT:
        broken.append(
            f"timeoutSeconds: found {component.timeout_seconds} in mode Knative; allowed: "
            f"{_TIMEOUT} at most, Knative's max-revision-timeout-seconds, or mode Standard"
        )
    if component.container_concurrency > _CONCURRENCY:
        broken.append(
            f"containerConcurrency: found {component.container_concurrency} in mode Knative; "
            f"allowed: {_CONCURRENCY} at most, Knative's container-concurrency-max-limit"
        )
    if component.deployment_strategy:
        broken.append(
            f"deploymentStrategy: found {component.deployment_strategy.type.value} in mode "
            "Knative, which starts new pods before it ends old ones; allowed: none there, or mode "
            "Standard"
        )
    if "drain_seconds" in component.model_fields_set:
        broken.append(
            f"drainSeconds: found {component.drain_seconds} in mode Knative, whose pods drain by "
            "themselves; allowed: none there, or mode Standard"
        )
    return broken
