"""The proof that a model's endpoint answers what its release says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.components.job_run import JobRun, JobRunArgs
from infra.manifests.inference_service import inference_service
from infra.manifests.jobs import VERIFY_MARGIN_SECONDS, Task, key

if TYPE_CHECKING:
    import pulumi

    from infra.components.served_model import Inference
    from infra.components.verifier import Verifier
    from infra.config import Jobs
    from infra.manifests.inference_service import Serving


@dataclass(frozen=True)
class VerificationArgs:
    """What is proven, what the proof is asked, the container that proves it, and as whom."""

    serving: Serving
    config: dict[str, Any]
    jobs: Jobs
    inference: Inference
    verifier: Verifier


class Verification:
    """A Job named by release and settings: whatever changes in them is proven anew."""

    key: str
    job: JobRun
    ready: pulumi.Output[bool]

    def __init__(self, name: str, args: VerificationArgs) -> None:
        serving = args.serving
        # Of the service as it is without a canary: what was proven stays so when one begins.
        service = inference_service(serving)
        jobs = args.jobs.model_dump(mode="json")
        self.key = key(service, args.config, serving.artefact.digest, jobs)
        seconds = serving.settings.verification.deadline_seconds + VERIFY_MARGIN_SECONDS
        account = args.verifier.account
        self.job = JobRun(
            JobRunArgs(
                task=Task(f"{name}-{self.key}", "verify", args.config, seconds, account),
                serving=serving,
                jobs=args.jobs,
                parent=args.inference,
                after=[args.inference.service, *args.verifier.resources],
            )
        )
        self.ready = self.job.succeeded
