"""Scraping, dashboard and alerts of a stack, in its cluster and in Cloud Monitoring."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import monitoring
from pulumi_kubernetes.apiextensions import CustomResource

from infra.components.ownership import owned
from infra.manifests.monitoring.alerts import Alert, alerts
from infra.manifests.monitoring.dashboard import dashboard
from infra.manifests.monitoring.scrape import pod_monitorings
from infra.manifests.monitoring.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config import ModelSettings, MonitoringSettings


@dataclass(frozen=True)
class MonitoringArgs:
    """The models that are monitored, and the project of dashboard and alerts."""

    settings: MonitoringSettings
    namespace: str
    project: str
    models: Mapping[str, ModelSettings]


class Monitoring(pulumi.ComponentResource):
    """Scrape objects, dashboard and alerts by the settings; `alerts` are their names."""

    alerts: list[str]

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "enabled": args.settings.enabled,
            "scrape": args.settings.scrape,
            "models": sorted(args.models),
        }
        super().__init__("kserve-triton:index:Monitoring", name, inputs, opts)
        self._name, self._args = name, args
        self._options = pulumi.ResourceOptions(parent=self)
        services = [
            Service(model, args.namespace, settings)
            for model, settings in sorted(args.models.items())
        ]
        self.alerts = []
        if args.settings.scrape == "podmonitoring":
            self._scrape(services)
        if args.settings.enabled:
            self._show(services)
            for service in services:
                self._alert(service)
        self.register_outputs({"alerts": self.alerts})

    def _scrape(self, services: Sequence[Service]) -> None:
        for service in services:
            for name, manifest in pod_monitorings(service).items():
                CustomResource(
                    f"{self._name}-{name}",
                    "monitoring.googleapis.com/v1",
                    "PodMonitoring",
                    **owned(manifest),
                    opts=self._options,
                )

    def _show(self, services: Sequence[Service]) -> None:
        monitoring.Dashboard(
            f"{self._name}-dashboard",
            project=self._args.project,
            dashboard_json=json.dumps(dashboard(pulumi.get_stack(), services), sort_keys=True),
            opts=self._options,
        )

    def _alert(self, service: Service) -> None:
        for alert in alerts(service, self._args.settings):
            self._policy(service, alert)
            self.alerts.append(f"{service.name}-{alert.name}")

    def _policy(self, service: Service, alert: Alert) -> None:
        args = self._args
        condition = monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
            query=alert.query,
            duration=f"{alert.minutes * 60}s",
            evaluation_interval="60s",
            alert_rule=alert.name,
            rule_group=service.name,
            # In a new project no metrics have been received yet; that is not an error.
            disable_metric_validation=True,
        )
        monitoring.AlertPolicy(
            f"{self._name}-{service.name}-{alert.name}",
            project=args.project,
            display_name=f"{alert.title} ({pulumi.get_stack()})",
            combiner="OR",
            severity=alert.severity.value,
            conditions=[
                monitoring.AlertPolicyConditionArgs(
                    display_name=alert.title, condition_prometheus_query_language=condition
                )
            ],
            documentation=monitoring.AlertPolicyDocumentationArgs(
                content=alert.runbook, mime_type="text/markdown"
            ),
            notification_channels=list(args.settings.notification_channels),
            user_labels={
                "stack": label_value(pulumi.get_stack()),
                "model": service.name,
                "managed-by": "pulumi",
            },
            opts=self._options,
        )


def label_value(text: str) -> str:
    """A stack's name in the characters of a Google Cloud label: a-z, 0-9, '_' and '-'."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]
