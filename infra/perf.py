"""The load test of a proven endpoint, and its verdict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap

from infra.job_manifests import JOB_MARGIN_SECONDS, job, key, load_config, result_path
from infra.manifests import labels
from infra.verification import succeeded

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
        self._name = f"{name}-{identity}"
        self._result = result_path(args.bucket, args.artefact, identity) if perf.upload else None
        test = self._job(args)
        self.report = {
            "verdict": test.status.apply(lambda status: "pass" if succeeded(status) else "none"),
            "result": self._result,
            "objectives": perf.objectives.model_dump(by_alias=True),
        }
        self.register_outputs(self.report)

    def _job(self, args: PerfTestArgs) -> Job:
        artefact, namespace = args.artefact, args.namespace
        config = load_config(artefact, args.settings, namespace, self._result)
        settings_map = ConfigMap(
            self._name,
            metadata={"name": self._name, "namespace": namespace, "labels": labels(artefact.name)},
            data={"job.json": json.dumps(config, indent=1)},
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        seconds = args.settings.perf.duration_seconds
        account = args.jobs.service_account
        manifest = job(self._name, "load", artefact, args.jobs, namespace, seconds, account)
        return Job(
            self._name,
            metadata=manifest["metadata"],
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.verification.job, settings_map],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{seconds + JOB_MARGIN_SECONDS}s"),
            ),
        )
