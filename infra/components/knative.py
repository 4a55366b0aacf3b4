"""Settings of Knative: registries without tag resolution, progress deadline, pod features.

They are patched into ConfigMaps, or into the KnativeServing resource where Knative's operator runs:
it reverts what others write into the ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_kubernetes.apiextensions import CustomResourcePatch
from pulumi_kubernetes.core.v1 import ConfigMapPatch

from infra.components import failures
from infra.components.ownership import forced
from infra.config.types import Mode
from infra.manifests.knative import CONFIG, OPERATOR, config_maps, knative_serving
from infra.manifests.names import KNATIVE_NAMESPACE
from infra.manifests.scaling import knative_features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.config import KnativeSettings, ModelSettings
    from infra.manifests.names import Manifest

SET = "pulumi config set --path"
TAKEN = (
    "Knative's settings have another owner, named above (pulumi-kubernetes-… is another stack: the "
    "object's annotations kserve-triton.dev/STACK say which), and nothing of theirs was changed. "
    f"Leave them to it: {SET} knative.managedBy none. Or add its registries to this stack's "
    f"knative.registries and take the keys over: {SET} knative.force true"
)
NO_KNATIVE = (
    "Knative's settings can't be written: is Knative Serving installed in this cluster, in the "
    f"namespace knative-serving? Install it, or leave it alone: {SET} knative.managedBy none"
)
NO_OPERATOR = (
    "there is no KnativeServing resource in this cluster: does Knative's operator run in it? If it "
    f"does not: {SET} knative.managedBy configmap"
)

OPERATOR_RULES = (
    f"{CONFIG} in the namespace {KNATIVE_NAMESPACE} belongs to Knative's operator, which will "
    "revert what was set there; found knative.managedBy configmap; allowed: operator, or none: "
    f"{SET} knative.managedBy operator"
)


@dataclass(frozen=True)
class KnativeConfigArgs:
    """The stack's settings for Knative, and the models, which may need features of Knative."""

    knative: KnativeSettings
    models: Mapping[str, ModelSettings]


class KnativeConfig(pulumi.ComponentResource):
    """Declares keys by server-side apply, and takes keys of other owners only with `knative.force`.

    Nothing is declared where no model is in mode Knative. Stacks that declare the same values share
    the keys: one that is destroyed gives up its share.
    """

    def __init__(
        self, name: str, args: KnativeConfigArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        knative, features = args.knative, knative_features(args.models.values())
        inputs = {
            "managedBy": knative.managed_by,
            "registries": list(knative.registries),
            "progressDeadline": knative.progress_deadline,
            "features": features,
        }
        super().__init__("kserve-triton:index:KnativeConfig", name, inputs, opts)
        self._name, self._force = name, knative.force
        stack = pulumi.get_stack()
        # Without a model in its mode the cluster may not have Knative at all.
        needed = any(model.mode is Mode.KNATIVE for model in args.models.values())
        managed_by = knative.managed_by if needed else "none"
        if managed_by == "configmap":
            for manifest in config_maps(knative, features, stack):
                self._patch_config_map(manifest)
        elif managed_by == "operator":
            self._patch_knative_serving(knative_serving(knative, features, stack))
        self.register_outputs({})

    def _patch_config_map(self, manifest: Manifest) -> None:
        name = f"{self._name}-{manifest['metadata']['name']}"
        patch = ConfigMapPatch(
            name, **self._steered(manifest), opts=self._options(name, NO_KNATIVE)
        )
        patch.metadata.owner_references.apply(refuse_operators)

    def _patch_knative_serving(self, manifest: Manifest) -> None:
        version, kind, serving = OPERATOR
        name = f"{self._name}-{serving}"
        CustomResourcePatch(
            name, version, kind, **self._steered(manifest), opts=self._options(name, NO_OPERATOR)
        )

    def _steered(self, manifest: Manifest) -> Manifest:
        return forced(manifest) if self._force else manifest

    def _options(self, name: str, absent: str) -> pulumi.ResourceOptions:
        hooks = failures.explained(name, lambda error: explain(error, absent))
        return pulumi.ResourceOptions(parent=self, hooks=hooks)


def explain(error: str, absent: str) -> str | None:
    """The remedy for an error of the API server: `absent` where object or kind are missing."""
    if "conflict" in error:
        return TAKEN
    missing = ("not found", "no matches for kind", "apiVersion for this resource does not exist")
    return absent if any(words in error for words in missing) else None


def refuse_operators(owners: Sequence[Any] | None) -> None:
    """Raise RunError for a ConfigMap that Knative's operator owns, and so reverts."""
    if any(owner.kind == OPERATOR[1] for owner in owners or ()):
        raise pulumi.RunError(OPERATOR_RULES)
