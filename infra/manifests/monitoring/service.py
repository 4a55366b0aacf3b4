"""A served model for monitoring: its series, and which metrics it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config.types import Device, Placement
from infra.manifests.monitoring.promql import select

if TYPE_CHECKING:
    from infra.config import Component, ModelSettings

# KServe's label of a pod, by the name that Prometheus' own example of annotation scraping gives it
# in series (`labelmap`), so that one query does for all scrapers.
SERVICE_SERIES = "serving_kserve_io_inferenceservice"


@dataclass(frozen=True)
class Service:
    """A model's InferenceService."""

    name: str
    namespace: str
    settings: ModelSettings

    @property
    def collocated(self) -> bool:
        """The transformer is in Triton's pods."""
        return self.settings.placement is Placement.COLLOCATED

    @property
    def has_transformer(self) -> bool:
        """Clients send requests to this project's transformer, whose metrics are known."""
        return self.settings.transformer.enabled and not self.settings.transformer.own

    @property
    def has_gpu(self) -> bool:
        """Triton runs on GPUs."""
        return self.settings.device is Device.GPU

    @property
    def components(self) -> dict[str, Component]:
        """The components that have pods of their own."""
        made: dict[str, Component] = {"predictor": self.settings.predictor}
        if self.settings.separate_transformer:
            made["transformer"] = self.settings.transformer
        return made

    def series(self, metric: str, *matchers: str) -> str:
        """This service's series of a metric, of all its pods."""
        labels = {"namespace": self.namespace, SERVICE_SERIES: self.name}
        return select(metric, labels, *matchers)
