"""The permissions of an environment's two accounts, as plain data.

One deploys from the main branch after an approval. The other only reads, for drift checks and for
previews of pull requests, whose code was not reviewed yet. A preview writes no state and takes no
lock.

Each project has one environment, so that permissions in the project end with the environment.
"""

from __future__ import annotations

from dataclasses import dataclass

# Roles and RoleBindings, for the verification's account; roles/container.developer lacks them. That
# role may create pods in any namespace and so has what their accounts have. `escalate` and `bind`
# therefore add no power.
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
    """Roles by the resource they are granted on.

    `own` and `models` are the permissions of custom roles: `own` in the project, if it has any,
    `models` on the stack's bucket and its objects. The others are names of Google's roles.
    """

    environment: str
    project: tuple[str, ...]
    own: tuple[str, ...]
    models: tuple[str, ...]
    state: str
    images: str


def only_bucket(name: str) -> str:
    """The condition, in CEL, of a grant on one bucket and its objects."""
    bucket = f"projects/_/buckets/{name}"
    return f'resource.name == "{bucket}" || resource.name.startsWith("{bucket}/")'


def for_environment(environment: str) -> dict[str, Permissions]:
    """The permissions by account name."""
    return {
        "deploy": Permissions(
            environment=environment,
            # Kubernetes objects; dashboard and alerts.
            project=("roles/container.developer", "roles/monitoring.editor"),
            # Creating a bucket is a permission on the project; a condition cannot name the bucket.
            own=("storage.buckets.create", *_RBAC),
            models=_READ_MODELS + _MANAGE_MODELS,
            state="roles/storage.objectUser",
            images="roles/artifactregistry.writer",
        ),
        "preview": Permissions(
            environment=f"{environment}-preview",
            project=("roles/container.viewer", "roles/monitoring.viewer"),
            own=(),
            models=_READ_MODELS,
            state="roles/storage.objectViewer",
            images="roles/artifactregistry.reader",
        ),
    }
