"""The load test of a proven endpoint, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.job_run import JobRun, JobRunArgs
from infra.manifests.jobs import Task, key, load_config, report_path, result_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.manifests.inference_service import Serving
    from infra.sections import Jobs
    from infra.verification import Verification


@dataclass(frozen=True)
class PerfTestArgs:
    """What is loaded, after which proofs; `bucket` takes the result if it is kept."""

    serving: Serving
    jobs: Jobs
    bucket: str
    verifications: Sequence[Verification]


class PerfTest(pulumi.ComponentResource):
    """A Job that follows the verification; a missed objective fails it, and so `pulumi up`."""

    report: dict[str, Any]

    def __init__(
        self, name: str, args: PerfTestArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:PerfTest", name, None, opts)
        serving = args.serving
        perf = serving.settings.perf
        proven = [verification.key for verification in args.verifications]
        identity = key(*proven, perf.model_dump(mode="json"))
        result = result_path(args.bucket, serving.artefact, identity) if perf.upload else None
        account = args.jobs.service_account
        test = JobRun(
            JobRunArgs(
                task=Task(
                    f"{name}-{identity}",
                    "load",
                    load_config(serving, result),
                    perf.duration_seconds,
                    account,
                ),
                serving=serving,
                jobs=args.jobs,
                after=[verification.job.resource for verification in args.verifications],
            ),
            self,
        )
        self.report = {
            "verdict": test.succeeded.apply(lambda passed: "pass" if passed else "none"),
            "result": result,
            "report": result and report_path(result),
            "objectives": perf.objectives.model_dump(by_alias=True),
        }
        self.register_outputs(self.report)
