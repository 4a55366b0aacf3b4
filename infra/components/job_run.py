"""One attempt at something, in the cluster: a Job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.components.kubernetes import KubernetesObject
from infra.manifests.jobs import job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Jobs
    from infra.manifests.inference_service import Serving
    from infra.manifests.jobs import Task


@dataclass(frozen=True)
class JobRunArgs:
    """What runs, for what is served, in which container; `after` is what must be there."""

    task: Task
    serving: Serving
    jobs: Jobs
    parent: pulumi.Resource
    after: Sequence[pulumi.Resource] = field(default=())


class JobRun:
    """A Job awaited by the engine: its failure, with its last words, is the update's."""

    resource: KubernetesObject
    succeeded: pulumi.Output[bool]
    uid: pulumi.Output[str | None]

    def __init__(self, args: JobRunArgs) -> None:
        task = args.task
        # Kubernetes ends the Job first, and with a reason.
        seconds = task.seconds + 60
        self.resource = KubernetesObject(
            task.name,
            "batch/v1",
            "Job",
            job(task, args.serving, args.jobs),
            pulumi.ResourceOptions(
                parent=args.parent,
                depends_on=args.after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
            ),
        )
        self.uid = self.resource.output("metadata").apply(lambda metadata: metadata.get("uid"))
        self.succeeded = self.resource.output("status").apply(
            lambda status: bool((status or {}).get("succeeded"))
        )
