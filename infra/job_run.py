"""One attempt at something, in the cluster: a Job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from infra.kubernetes import KubernetesObject
from infra.manifests.jobs import JOB_MARGIN_SECONDS, job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.manifests.inference_service import Serving
    from infra.manifests.jobs import Task
    from infra.sections import Jobs


@dataclass(frozen=True)
class JobRunArgs:
    """`after` is what must be there; `once` the component, TYPE::NAME, that held the Job before."""

    task: Task
    serving: Serving
    jobs: Jobs
    parent: pulumi.Resource
    once: str
    after: Sequence[pulumi.Resource] = field(default=())


class JobRun:
    """A Job awaited by the engine: its failure, with its last words, is the update's."""

    resource: KubernetesObject
    succeeded: pulumi.Output[bool]
    uid: pulumi.Output[str]

    def __init__(self, args: JobRunArgs) -> None:
        task = args.task
        before = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{args.once}"
        seconds = task.seconds + JOB_MARGIN_SECONDS
        self.resource = KubernetesObject(
            task.name,
            "batch/v1",
            "Job",
            job(task, args.serving, args.jobs),
            pulumi.ResourceOptions(
                parent=args.parent,
                aliases=[pulumi.Alias(parent=before)],
                depends_on=args.after,
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
            ),
        )
        self.uid = self.resource.output("metadata").apply(lambda metadata: metadata["uid"])
        self.succeeded = self.resource.output("status").apply(
            lambda status: bool((status or {}).get("succeeded"))
        )
