"""The proof that a model's endpoint answers what its release says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.job_run import JobRun, JobRunArgs
from infra.kubernetes import KubernetesObject
from infra.manifests.common import labels
from infra.manifests.inference_service import inference_service
from infra.manifests.jobs import Task, key, rules

if TYPE_CHECKING:
    from infra.inference import Inference
    from infra.manifests.inference_service import Serving
    from infra.sections import Jobs


@dataclass(frozen=True)
class VerificationArgs:
    """What is proven, by which job.json, and the container that proves it."""

    serving: Serving
    config: dict[str, Any]
    jobs: Jobs
    inference: Inference


class Verification(pulumi.ComponentResource):
    """A Job named by release and settings: whatever changes in them is proven anew."""

    key: str
    job: JobRun
    ready: pulumi.Output[bool]

    def __init__(
        self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Verification", name, None, opts)
        serving = args.serving
        # Of the service as it is without a canary: what was proven stays so when one begins.
        service = inference_service(serving)
        jobs = args.jobs.model_dump(mode="json")
        self.key = key(service, args.config, serving.artefact.digest, jobs)
        account = self._account(name, serving)
        seconds = serving.settings.verification.deadline_seconds
        self.job = JobRun(
            JobRunArgs(
                task=Task(f"{name}-{self.key}", "verify", seconds, service_account=name),
                config=args.config,
                serving=serving,
                jobs=args.jobs,
                after=[args.inference.service, *account],
            ),
            self,
        )
        self.ready = self.job.succeeded
        self.register_outputs({"ready": self.ready})

    def _account(self, name: str, serving: Serving) -> list[pulumi.Resource]:
        """A service account of its own that may read what tells why a service can't come up."""
        model, namespace = serving.name, serving.namespace
        metadata = {"name": name, "namespace": namespace, "labels": labels(model)}
        options = pulumi.ResourceOptions(parent=self)
        made = {"metadata": metadata}
        account = KubernetesObject(name, "v1", "ServiceAccount", made, options)
        rbac = "rbac.authorization.k8s.io"
        role = KubernetesObject(name, f"{rbac}/v1", "Role", made | {"rules": rules(model)}, options)
        binding = made | {
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        bound = KubernetesObject(name, f"{rbac}/v1", "RoleBinding", binding, options)
        return [account, role, bound]
