"""What the two accounts of an environment may do; plain data.

One deploys from the main branch after an approval. The other reads, for previews of pull requests,
whose code nobody has looked at yet, and for drift: a preview writes no state and takes no lock.

A project serves one environment, so that what an account may do in its project ends there.
"""

from __future__ import annotations

from dataclasses import dataclass

# Roles and RoleBindings, which Google's role for developers leaves out: the verification's account
# has them. Whoever may create pods in any namespace, as that role does, has all that pods have; so
# `escalate` and `bind` add a name to it, not a power.
_RBAC = tuple(
    f"container.{kind}.{verb}"
    for kind, verbs in (
        ("roles", ("bind", "create", "delete", "escalate", "update")),
        ("roleBindings", ("create", "delete", "update")),
    )
    for verb in verbs
)


_READ_MODELS = tuple(
    f"storage.{what}"
    for what in ("buckets.get", "buckets.getIamPolicy", "objects.get", "objects.list")
)
_MANAGE_MODELS = tuple(
    f"storage.{what}"
    for what in (
        "buckets.delete",
        "buckets.setIamPolicy",
        "buckets.update",
        "objects.create",
        "objects.delete",
        "objects.update",
    )
)


@dataclass(frozen=True)
class Permissions:
    """Roles, by what they are granted on; `own` and `models` are of roles made here.

    `own` holds in the project, `models` for the stack's bucket and what is in it.
    """

    environment: str
    project: tuple[str, ...]
    own: tuple[str, ...]
    models: tuple[str, ...]
    state: str
    images: str


def of(environment: str) -> dict[str, Permissions]:
    """By account: the GitHub environment that may act as it, and what it may do."""
    return {
        "deploy": Permissions(
            environment=environment,
            # Kubernetes objects; pods' Google accounts and who may act as them; dashboard, alerts.
            project=(
                "roles/container.developer",
                "roles/iam.serviceAccountAdmin",
                "roles/monitoring.editor",
            ),
            # To make a bucket is asked of the project, where no condition can be about its name.
            own=("storage.buckets.create", *_RBAC),
            models=_READ_MODELS + _MANAGE_MODELS,
            state="roles/storage.objectUser",
            images="roles/artifactregistry.writer",
        ),
        "preview": Permissions(
            environment=f"{environment}-preview",
            project=("roles/container.viewer", "roles/monitoring.viewer"),
            own=("iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy"),
            models=_READ_MODELS,
            state="roles/storage.objectViewer",
            images="roles/artifactregistry.reader",
        ),
    }
