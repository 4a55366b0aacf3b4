"""The load test of a proven endpoint, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.job_run import JobRun, JobRunArgs
from infra.manifests.jobs import (
    LOAD_MARGIN_SECONDS,
    Task,
    key,
    load_config,
    report_path,
    result_path,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.components.served_model import Inference
    from infra.components.verification import Verification
    from infra.config import Jobs
    from infra.manifests.inference_service import Serving


@dataclass(frozen=True)
class PerfTestArgs:
    """What is loaded, after which proofs; `bucket` takes the result if it is kept."""

    serving: Serving
    jobs: Jobs
    bucket: str
    inference: Inference
    verifications: Sequence[Verification]


class PerfTest:
    """A Job that follows the verification; a missed objective fails it, and so `pulumi up`."""

    report: dict[str, Any]

    def __init__(self, name: str, args: PerfTestArgs) -> None:
        serving = args.serving
        perf = serving.settings.perf
        proven = [verification.key for verification in args.verifications]
        identity = key(*proven, perf.model_dump(mode="json"))
        wanted = result_path(args.bucket, serving.artefact, identity) if perf.upload else None
        config = load_config(serving, wanted)
        seconds = perf.duration_seconds + LOAD_MARGIN_SECONDS
        account = args.jobs.service_account
        test = JobRun(
            JobRunArgs(
                task=Task(f"{name}-{identity}", "load", config, seconds, account),
                serving=serving,
                jobs=args.jobs,
                parent=args.inference,
                after=[verification.job.resource for verification in args.verifications],
            )
        )
        # A preview's dry run gives a new Job a uid too, which is not the one that it will have.
        result = pulumi.Output.all(test.uid, test.succeeded).apply(
            lambda found: (
                result_path(args.bucket, serving.artefact, identity, found[0])
                if perf.upload and found[1]
                else None
            )
        )
        self.report = {
            "verdict": test.succeeded.apply(lambda passed: "pass" if passed else "none"),
            "result": result,
            "report": result.apply(lambda place: place and report_path(place)),
            "objectives": perf.objectives.model_dump(by_alias=True),
        }
