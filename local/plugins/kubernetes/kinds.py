"""The kinds that this program uses: their place in the API, their properties, what is fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.plugins.schema import Shape
    from local.plugins.wire import Path

_METADATA: Shape = {
    "name": None,
    "namespace": None,
    "labels": {"*": None},
    "annotations": {"*": None},
}
NAME: tuple[Path, ...] = (("metadata", "name"), ("metadata", "namespace"))


@dataclass(frozen=True)
class Kind:
    """A kind. `fixed`: what the official plugin replaces an object for."""

    api_version: str
    name: str
    plural: str
    properties: Shape
    namespaced: bool = True
    fixed: tuple[Path, ...] = ()
    # What such an object owns must be gone before it is.
    owner: bool = False

    @property
    def shape(self) -> Shape:
        """Every property, deep as far as the plugin knows; the server knows the rest."""
        common: dict[str, Any] = {"apiVersion": None, "kind": None, "metadata": _METADATA}
        return {**common, **self.properties}

    @property
    def replaces(self) -> tuple[Path, ...]:
        """The paths that can't be changed in place."""
        return NAME + self.fixed

    def path(self, namespace: str, name: str) -> str:
        """Where an object is found; without a name, where such objects are made."""
        group = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        scope = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{group}{scope}/{self.plural}" + (f"/{name}" if name else "")


_ANY: Shape = {"*": None}
_RBAC = "rbac.authorization.k8s.io/v1"

CONFIG_MAP = Kind(
    "v1",
    "ConfigMap",
    "configmaps",
    {"data": _ANY, "binaryData": _ANY, "immutable": None},
    fixed=(("data",), ("binaryData",)),
)
SECRET = Kind(
    "v1",
    "Secret",
    "secrets",
    {"data": _ANY, "stringData": _ANY, "type": None, "immutable": None},
    fixed=(("data",), ("stringData",), ("type",)),
)
JOB = Kind(
    "batch/v1",
    "Job",
    "jobs",
    {"spec": None},
    fixed=(
        ("spec", "completions"),
        ("spec", "parallelism"),
        ("spec", "selector"),
        ("spec", "template"),
    ),
    owner=True,
)
KNATIVE_SERVING = Kind(
    "operator.knative.dev/v1beta1", "KnativeServing", "knativeservings", {"spec": None}, owner=True
)


@dataclass(frozen=True)
class Type:
    """A resource type of Pulumi's: a kind, or a patch of an object that somebody else owns."""

    kind: Kind
    patch: bool = False


TYPES = {
    "kubernetes:core/v1:Namespace": Type(
        Kind("v1", "Namespace", "namespaces", {"spec": None}, namespaced=False)
    ),
    "kubernetes:core/v1:ConfigMap": Type(CONFIG_MAP),
    "kubernetes:core/v1:ConfigMapPatch": Type(CONFIG_MAP, patch=True),
    "kubernetes:core/v1:Secret": Type(SECRET),
    "kubernetes:core/v1:ServiceAccount": Type(
        Kind(
            "v1",
            "ServiceAccount",
            "serviceaccounts",
            {"secrets": None, "imagePullSecrets": None, "automountServiceAccountToken": None},
        )
    ),
    f"kubernetes:{_RBAC}:Role": Type(Kind(_RBAC, "Role", "roles", {"rules": None})),
    f"kubernetes:{_RBAC}:RoleBinding": Type(
        Kind(
            _RBAC,
            "RoleBinding",
            "rolebindings",
            {"roleRef": None, "subjects": None},
            fixed=(("roleRef",),),
        )
    ),
    "kubernetes:batch/v1:Job": Type(JOB),
    "kubernetes:serving.kserve.io/v1beta1:InferenceService": Type(
        Kind(
            "serving.kserve.io/v1beta1",
            "InferenceService",
            "inferenceservices",
            {"spec": None},
            owner=True,
        )
    ),
    "kubernetes:core/v1:Service": Type(Kind("v1", "Service", "services", {"spec": None})),
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": Type(
        Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", {"spec": None})
    ),
    "kubernetes:policy/v1:PodDisruptionBudget": Type(
        Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", {"spec": None})
    ),
    "kubernetes:serving.kserve.io/v1alpha1:LocalModelCache": Type(
        Kind(
            "serving.kserve.io/v1alpha1",
            "LocalModelCache",
            "localmodelcaches",
            {"spec": None},
            namespaced=False,
        )
    ),
    "kubernetes:monitoring.googleapis.com/v1:PodMonitoring": Type(
        Kind("monitoring.googleapis.com/v1", "PodMonitoring", "podmonitorings", {"spec": None})
    ),
    "kubernetes:operator.knative.dev/v1beta1:KnativeServing": Type(KNATIVE_SERVING),
    "kubernetes:operator.knative.dev/v1beta1:KnativeServingPatch": Type(
        KNATIVE_SERVING, patch=True
    ),
}
