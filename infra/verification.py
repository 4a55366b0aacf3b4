"""The proof that a model's endpoint answers what its release says."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, ServiceAccount
from pulumi_kubernetes.rbac.v1 import Role, RoleBinding

from infra.job_manifests import JOB_MARGIN_SECONDS, job, key, rules, verify_config
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
    job: Job
    ready: pulumi.Output[bool]

    def __init__(
        self, name: str, args: VerificationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Verification", name, None, opts)
        artefact, settings, namespace = args.artefact, args.settings, args.namespace
        config = verify_config(artefact, settings, namespace, args.storage_uri)
        service = inference_service(artefact, settings, namespace, args.storage_uri)
        self.key = key(service, config, artefact.digest, args.jobs.model_dump(mode="json"))
        made_name = f"{name}-{self.key}"
        account = self._account(name, artefact.name, namespace)
        settings_map = ConfigMap(
            made_name,
            metadata={"name": made_name, "namespace": namespace, "labels": labels(artefact.name)},
            data={"job.json": json.dumps(config, indent=1)},
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        seconds = settings.verification.deadline_seconds
        manifest = job(made_name, "verify", artefact, args.jobs, namespace, seconds, name)
        timeout = pulumi.CustomTimeouts(create=f"{seconds + JOB_MARGIN_SECONDS}s")
        self.job = Job(
            made_name,
            metadata=manifest["metadata"],
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.inference.service, settings_map, *account],
                custom_timeouts=timeout,
            ),
        )
        self.ready = self.job.status.apply(succeeded)
        self.register_outputs({"ready": self.ready})

    def _account(self, name: str, model: str, namespace: str) -> list[pulumi.Resource]:
        """A service account of its own that may read what tells why a service can't come up."""
        metadata = {"name": name, "namespace": namespace, "labels": labels(model)}
        options = pulumi.ResourceOptions(parent=self)
        account = ServiceAccount(name, metadata=metadata, opts=options)
        role = Role(name, metadata=metadata, rules=rules(model), opts=options)
        binding = RoleBinding(
            name,
            metadata=metadata,
            role_ref={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            opts=options,
        )
        return [account, role, binding]


def succeeded(status: object) -> bool:
    """Whether a Job's status says that its one attempt succeeded."""
    count = (
        status.get("succeeded") if isinstance(status, dict) else getattr(status, "succeeded", None)
    )
    return bool(count)
