"""Who may do what with the bucket: IAM members, each with one role on the objects of one prefix.

Pods are members themselves, by their Kubernetes service accounts ("Workload Identity Federation for
GKE", principal identifiers, in Google Cloud's documentation). They need no Google service account.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.manifests.names import PROGRAMS, RESULTS
from release.files import MODELS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.config.settings import Settings
    from infra.manifests.artefact import Artefact

READ, CREATE = "roles/storage.objectViewer", "roles/storage.objectCreator"


@dataclass(frozen=True)
class Grant:
    """A role of a member on the objects under a prefix."""

    member: str
    role: str
    prefix: str

    @property
    def key(self) -> str:
        """The logical name of its resource: the same however a stack comes to grant it."""
        return f"{self.role.rpartition('.')[2]}-{self.prefix.rstrip('/')}-{self.member}"

    def condition(self, bucket: str) -> dict[str, str]:
        """The IAM condition, in CEL."""
        path = f"projects/_/buckets/{bucket}/objects/{self.prefix}"
        # Listing is a permission on the bucket itself; KServe lists before it downloads.
        listed = ' || resource.type == "storage.googleapis.com/Bucket"' if self.role == READ else ""
        return {
            "title": f"only {self.prefix.rstrip('/')}",
            "expression": f'resource.name.startsWith("{path}"){listed}',
        }


def principal(project: str, number: int, namespace: str, account: str) -> str:
    """The IAM member for a Kubernetes service account in a GKE cluster of a project."""
    pools = f"iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools"
    return f"principal://{pools}/{project}.svc.id.goog/subject/ns/{namespace}/sa/{account}"


def pod_accounts(settings: Settings, stored: Iterable[Artefact]) -> dict[str, set[str]]:
    """Kubernetes accounts that read models, add results and compile, by these purposes."""
    models = settings.models
    accounts = {
        "readers": {each.predictor.service_account for each in models.values()},
        "writers": {
            settings.stack.jobs.service_account
            for each in models.values()
            if each.perf.enabled and each.perf.upload
        },
        "compilers": {
            models[each.name].compiler.service_account for each in stored if each.compiled
        },
    }
    return {purpose: {each for each in found if each} for purpose, found in accounts.items()}


def made_accounts(settings: Settings, stored: Iterable[Artefact]) -> set[str]:
    """Kubernetes accounts that the stack makes if they are missing."""
    if not settings.stack.identity.project_number:
        return set()
    return set().union(*pod_accounts(settings, stored).values())


def grants(settings: Settings, stored: Iterable[Artefact]) -> list[Grant]:
    """All grants on a stack's bucket that has these artefacts, each grant once."""
    storage, identity = settings.stack.storage, settings.stack.identity
    members = {
        "readers": set(storage.readers),
        "writers": set(storage.result_writers),
        "compilers": set(storage.compilers),
    }
    if identity.project_number:
        project, number = identity.project or storage.project, identity.project_number
        for purpose, accounts in pod_accounts(settings, stored).items():
            namespace = settings.stack.namespace
            members[purpose] |= {principal(project, number, namespace, each) for each in accounts}
    purposes = (
        ("readers", READ, MODELS),
        ("writers", CREATE, RESULTS),
        ("compilers", READ, PROGRAMS),
        ("compilers", CREATE, MODELS),
    )
    return [
        Grant(member, role, prefix)
        for purpose, role, prefix in purposes
        for member in sorted(members[purpose])
    ]
