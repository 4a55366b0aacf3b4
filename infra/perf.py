"""The load test of a proven endpoint, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.job_manifests import key, load_config, result_path
from infra.job_run import JobRun, JobRunArgs

if TYPE_CHECKING:
    from infra.releases import Artefact
    from infra.sections import Jobs, ModelSettings
    from infra.verification import Verification


@dataclass(frozen=True)
class PerfTestArgs:
    """What is loaded, and against what it is judged; `bucket` takes the result if it is kept."""

    artefact: Artefact
    settings: ModelSettings
    jobs: Jobs
    namespace: str
    bucket: str
    verification: Verification


class PerfTest(pulumi.ComponentResource):
    """A Job that follows the verification; a missed objective fails it, and so `pulumi up`."""

    report: dict[str, Any]

    def __init__(
        self, name: str, args: PerfTestArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:PerfTest", name, None, opts)
        perf = args.settings.perf
        proven = args.verification.key
        identity = key(proven, perf.model_dump(mode="json"))
        result = result_path(args.bucket, args.artefact, identity) if perf.upload else None
        test = JobRun(
            JobRunArgs(
                name=f"{name}-{identity}",
                command="load",
                config=load_config(args.artefact, args.settings, args.namespace, result),
                seconds=perf.duration_seconds,
                artefact=args.artefact,
                jobs=args.jobs,
                namespace=args.namespace,
                service_account=args.jobs.service_account,
                after=[args.verification.job.resource],
            ),
            self,
        )
        self.report = {
            "verdict": test.succeeded.apply(lambda passed: "pass" if passed else "none"),
            "result": result,
            "objectives": perf.objectives.model_dump(by_alias=True),
        }
        self.register_outputs(self.report)
