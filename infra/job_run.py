"""One attempt at something, in the cluster: a Job and its settings."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from infra.job_manifests import JOB_MARGIN_SECONDS, job
from infra.kubernetes import KubernetesObject
from infra.manifests import labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.releases import Artefact
    from infra.sections import Jobs


@dataclass(frozen=True)
class JobRunArgs:
    """`config` is its job.json, `seconds` how long it means to take, `after` what must be there."""

    name: str
    command: str
    config: dict[str, Any]
    seconds: int
    artefact: Artefact
    jobs: Jobs
    namespace: str
    service_account: str | None = None
    after: Sequence[pulumi.Resource] = field(default=())


class JobRun:
    """A Job awaited by the engine: its failure, with its last words, is the update's."""

    resource: KubernetesObject
    succeeded: pulumi.Output[bool]

    def __init__(self, args: JobRunArgs, parent: pulumi.Resource) -> None:
        settings = KubernetesObject(
            args.name,
            "v1",
            "ConfigMap",
            {
                "metadata": {
                    "name": args.name,
                    "namespace": args.namespace,
                    "labels": labels(args.artefact.name),
                },
                "data": {"job.json": json.dumps(args.config, indent=1)},
                "immutable": True,
            },
            pulumi.ResourceOptions(parent=parent),
        )
        manifest = job(
            args.name,
            args.command,
            args.artefact,
            args.jobs,
            args.namespace,
            args.seconds,
            args.service_account,
        )
        seconds = args.seconds + JOB_MARGIN_SECONDS
        self.resource = KubernetesObject(
            args.name,
            "batch/v1",
            "Job",
            manifest,
            pulumi.ResourceOptions(
                parent=parent,
                depends_on=[settings, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds}s"),
            ),
        )
        self.succeeded = self.resource.output("status").apply(
            lambda status: bool((status or {}).get("succeeded"))
        )
