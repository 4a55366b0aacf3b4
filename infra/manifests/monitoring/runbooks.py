"""Runbooks of the alerts: what an alert means, and the first commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.manifests.monitoring.service import Service

PODS = "kubectl get pods -n {namespace} -l serving.kserve.io/inferenceservice={name}"
LOGS = (
    "kubectl logs -n {namespace} -l serving.kserve.io/inferenceservice={name} "
    "--all-containers --prefix --tail=50"
)
COMMANDS = {
    "pods": PODS,
    "logs": LOGS,
    "describe": "kubectl describe inferenceservice {name} -n {namespace}",
    "events": "kubectl get events -n {namespace} --sort-by=.lastTimestamp",
}
FAILURES = (
    "The transformer's log has a line for each failure, with its cause: `predictor:` is Triton's, "
    "`busy with` is too many requests at once. "
)
FIRST_CAUSES = (
    "Did a release or a setting change just before? `pulumi stack history` says; deploying the "
    "one before is the quickest way back."
)
# Alert -> what it means and what to look at, and the commands to begin with.
TEXTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ErrorRatio": (
        "More requests fail by the service's fault (5xx) than the objective allows, now. "
        + FAILURES
        + FIRST_CAUSES,
        ("logs", "pods"),
    ),
    "LatencyP99": (
        "One request in a hundred takes longer than the load test's objective allows, failures "
        "included. Look at the time in stages first: `decode` grows with large pictures, slow "
        "handlers and too little CPU for the transformer; `predict` with Triton. There, a long "
        "queue time means too little capacity (see replicas and batch size), and a short one that "
        "the model itself computes for longer (larger batches, a throttled or shared device). "
        + FIRST_CAUSES,
        ("pods",),
    ),
    "QueueTime": (
        "Requests wait in Triton's queue: they come faster than instances take them. Look at "
        "replicas and batch size. More `predictor.maxReplicas` or `triton.instances` help; a "
        "larger `triton.queueDelayMicroseconds` makes it worse.",
        ("pods",),
    ),
    "GpuUtilisation": (
        "The GPUs have no room left for the next peak, though requests may still be fast. Look at "
        "queue time and latency; with them rising, raise `predictor.maxReplicas`, or batch more.",
        ("pods",),
    ),
    "ReplicasAtMaximum": (
        "The autoscaler has nothing left to add. If queue time or latency rise as well, raise "
        "`maxReplicas` (and see that nodes are to be had); if not, the scaling target may be too "
        "low for this load.",
        ("pods", "describe"),
    ),
    "NotReady": (
        "No pod is ready: nobody is served, or nothing is scraped. Look at the pods. None at all "
        "is the InferenceService's or the autoscaler's doing; Pending is a lack of nodes or GPUs, "
        "Init the download from the bucket, CrashLoopBackOff Triton, the model or the "
        "transformer. Pods that are all ready mean that their metrics are not collected.",
        ("pods", "describe", "events", "logs"),
    ),
    "ErrorBudgetPage": (
        "So many requests fail that the error budget of the whole period will be gone in days. "
        "People notice. " + FAILURES + FIRST_CAUSES,
        ("logs", "pods", "events"),
    ),
    "ErrorBudgetTicket": (
        "Requests fail somewhat faster than the objective allows over its period, for days now. "
        "No hurry. " + FAILURES,
        ("logs",),
    ),
    "LatencyBudgetPage": (
        "So many requests are too slow that the period's budget of slow ones will be gone in days. "
        "Look at the time in stages and at queue time, then at replicas and at what the device is "
        "busy with. " + FIRST_CAUSES,
        ("pods", "events"),
    ),
    "LatencyBudgetTicket": (
        "Somewhat more requests are too slow than the objective allows over its period, for days "
        "now. No hurry; compare the time in stages, compute time and batch size with those of a "
        "week ago.",
        ("pods",),
    ),
}


def runbook(alert: str, service: Service) -> str:
    """Markdown for an alert of a service."""
    text, commands = TEXTS[alert]
    lines = [
        COMMANDS[command].format(name=service.name, namespace=service.namespace)
        for command in commands
    ]
    return "\n".join([f"**{service.name}**: {text}", "", "```sh", *lines, "```"])
