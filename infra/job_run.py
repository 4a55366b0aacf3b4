"""One attempt at something, in the cluster: a Job and its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from infra.kubernetes import KubernetesObject
from infra.manifests.common import labels
from infra.manifests.jobs import JOB_MARGIN_SECONDS, job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.manifests.inference_service import Serving
    from infra.manifests.jobs import Task
    from infra.sections import Jobs


@dataclass(frozen=True)
class JobRunArgs:
    """`config` is its job.json, `after` what must be there."""

    task: Task
    config: dict[str, Any]
    serving: Serving
    jobs: Jobs
    after: Sequence[pulumi.Resource] = field(default=())


class JobRun:
    """A Job awaited by the engine: its failure, with its last words, is the update's."""

    resource: KubernetesObject
    succeeded: pulumi.Output[bool]

    def __init__(self, args: JobRunArgs, parent: pulumi.Resource) -> None:
        task, serving = args.task, args.serving
        settings = KubernetesObject(
            task.name,
            "v1",
            "ConfigMap",
            {
                "metadata": {
                    "name": task.name,
                    "namespace": serving.namespace,
                    "labels": labels(serving.name),
                },
                "data": {"job.json": json.dumps(args.config, indent=1)},
                "immutable": True,
            },
            pulumi.ResourceOptions(parent=parent),
        )
        seconds = task.seconds + JOB_MARGIN_SECONDS
        self.resource = KubernetesObject(
            task.name,
            "batch/v1",
            "Job",
            job(task, serving, args.jobs),
            pulumi.ResourceOptions(
                parent=parent,
                depends_on=[settings, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
            ),
        )
        self.succeeded = self.resource.output("status").apply(
            lambda status: bool((status or {}).get("succeeded"))
        )
