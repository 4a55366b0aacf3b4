"""Scraping, dashboard and alerts of a stack, in its cluster and in Cloud Monitoring."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.kubernetes import KubernetesObject
from infra.manifests.monitoring.alerts import Alert, alerts
from infra.manifests.monitoring.dashboard import dashboard
from infra.manifests.monitoring.scrape import pod_monitorings
from infra.manifests.monitoring.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config import ModelSettings
    from infra.config.monitoring import Monitoring as MonitoringSettings


@dataclass(frozen=True)
class MonitoringArgs:
    """What is monitored, and in which project; `after` is what Kubernetes objects need before."""

    monitoring: MonitoringSettings
    namespace: str
    project: str
    stack: str
    models: Mapping[str, ModelSettings]
    after: Sequence[pulumi.Resource] = field(default=())


class Monitoring(pulumi.ComponentResource):
    """Nothing, where the stack asks for nothing; `alerts` are names of what was made."""

    alerts: list[str]

    def __init__(
        self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Monitoring", name, None, opts)
        self._name, self._args = name, args
        self._options = pulumi.ResourceOptions(parent=self)
        scrape = args.monitoring.scrape
        services = [
            Service(model, args.namespace, settings, scrape)
            for model, settings in sorted(args.models.items())
        ]
        self.alerts = []
        if scrape == "podmonitoring":
            self._scrape(services)
        if args.monitoring.enabled:
            self._show(services)
            for service in services:
                self._alert(service)
        self.register_outputs({"alerts": self.alerts})

    def _scrape(self, services: Sequence[Service]) -> None:
        options = pulumi.ResourceOptions(parent=self, depends_on=list(self._args.after))
        for service in services:
            for name, manifest in pod_monitorings(service).items():
                KubernetesObject(
                    f"{self._name}-{name}",
                    "monitoring.googleapis.com/v1",
                    "PodMonitoring",
                    manifest,
                    options,
                )

    def _show(self, services: Sequence[Service]) -> None:
        # Only stacks that are monitored pay for the module.
        from pulumi_gcp import monitoring  # noqa: PLC0415

        monitoring.Dashboard(
            f"{self._name}-dashboard",
            project=self._args.project,
            dashboard_json=json.dumps(dashboard(self._args.stack, services), sort_keys=True),
            opts=self._options,
        )

    def _alert(self, service: Service) -> None:
        for alert in alerts(service, self._args.monitoring):
            self._policy(service, alert)
            self.alerts.append(f"{service.name}-{alert.name}")

    def _policy(self, service: Service, alert: Alert) -> None:
        from pulumi_gcp import monitoring  # noqa: PLC0415

        args = self._args
        condition = monitoring.AlertPolicyConditionConditionPrometheusQueryLanguageArgs(
            query=alert.query,
            duration=f"{alert.minutes * 60}s",
            evaluation_interval="60s",
            alert_rule=alert.name,
            rule_group=service.name,
            # Metrics that nobody has sent yet, in a new project, are no mistake.
            disable_metric_validation=True,
        )
        monitoring.AlertPolicy(
            f"{self._name}-{service.name}-{alert.name}",
            project=args.project,
            display_name=f"{alert.title} ({args.stack})",
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
            notification_channels=list(args.monitoring.notification_channels),
            user_labels={
                "stack": label_value(args.stack),
                "model": service.name,
                "managed-by": "pulumi",
            },
            opts=self._options,
        )


def label_value(text: str) -> str:
    """A stack's name as Google Cloud takes it for a label: lower case, digits, '_' and '-'."""
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:63]
