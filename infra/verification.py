"""The proof that a model's endpoint answers what its release says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra.job_manifests import key, rules, verify_config
from infra.job_run import JobRun, JobRunArgs
from infra.kubernetes import KubernetesObject
from infra.manifests import inference_service, labels

if TYPE_CHECKING:
    from infra.inference import Inference
    from infra.releases import Artefact
    from infra.sections import Jobs, ModelSettings


@dataclass(frozen=True)
class VerificationArgs:
    """What is proven, and the container that proves it."""

    artefact: Artefact
    settings: ModelSettings
    jobs: Jobs
    namespace: str
    storage_uri: str
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
        artefact, settings, namespace = args.artefact, args.settings, args.namespace
        config = verify_config(artefact, settings, namespace, args.storage_uri)
        service = inference_service(artefact, settings, namespace, args.storage_uri)
        self.key = key(service, config, artefact.digest, args.jobs.model_dump(mode="json"))
        account = self._account(name, artefact.name, namespace)
        self.job = JobRun(
            JobRunArgs(
                name=f"{name}-{self.key}",
                command="verify",
                config=config,
                seconds=settings.verification.deadline_seconds,
                artefact=artefact,
                jobs=args.jobs,
                namespace=namespace,
                service_account=name,
                after=[args.inference.service, *account],
            ),
            self,
        )
        self.ready = self.job.succeeded
        self.register_outputs({"ready": self.ready})

    def _account(self, name: str, model: str, namespace: str) -> list[pulumi.Resource]:
        """A service account of its own that may read what tells why a service can't come up."""
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
