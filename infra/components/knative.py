"""Knative's settings: tags of nvcr.io not resolved, time enough to start, GPU nodes allowed.

They are kept in ConfigMaps, or in the KnativeServing resource where Knative's operator rules: it
reverts what anybody else writes into the ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components import failures
from infra.components.kubernetes import KubernetesObject
from infra.manifests.knative import (
    CONFIG,
    NAMESPACE,
    OPERATOR,
    config_maps,
    knative_serving,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.config import Knative
    from infra.manifests.common import Manifest

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
    "there is no KnativeServing resource in this cluster: does Knative's operator rule it? If it "
    f"does not: {SET} knative.managedBy configmap"
)

OPERATOR_RULES = (
    f"{CONFIG} in the namespace {NAMESPACE} belongs to Knative's operator, which will revert what "
    "was set there; found knative.managedBy configmap; allowed: operator, or none: "
    f"{SET} knative.managedBy operator"
)


@dataclass(frozen=True)
class KnativeConfigArgs:
    """The stack's settings for Knative, and keys of `config-features` that its models need."""

    knative: Knative
    features: Mapping[str, str]


class KnativeConfig(pulumi.ComponentResource):
    """Declares keys by server-side apply, and takes none by force unless told to.

    Stacks that declare the same values share the keys: one that is destroyed gives up its share.
    """

    def __init__(
        self, name: str, args: KnativeConfigArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:KnativeConfig", name, None, opts)
        self._name, self._force = name, args.knative.force
        stack = pulumi.get_stack()
        if args.knative.managed_by == "configmap":
            for manifest in config_maps(args.knative, args.features, stack):
                patch = self._declare("v1", "ConfigMap", manifest, NO_KNATIVE)
                patch.output("metadata").apply(refuse_operators)
        elif args.knative.managed_by == "operator":
            version, kind, _ = OPERATOR
            manifest = knative_serving(args.knative, args.features, stack)
            self._declare(version, kind, manifest, NO_OPERATOR)
        self.register_outputs({})

    def _declare(
        self, version: str, kind: str, manifest: Manifest, absent: str
    ) -> KubernetesObject:
        name = manifest["metadata"]["name"]
        return KubernetesObject(
            f"{self._name}-{name}",
            version,
            kind,
            manifest,
            pulumi.ResourceOptions(
                parent=self,
                hooks=failures.explained(
                    f"{self._name}-{name}", lambda error: explain(error, absent)
                ),
            ),
            patch=True,
            force=self._force,
        )


def explain(error: str, absent: str) -> str | None:
    """What a refusal by the API server means; `absent` where the object has no place to be."""
    if "conflict" in error:
        return TAKEN
    missing = ("not found", "no matches for kind", "apiVersion for this resource does not exist")
    return absent if any(words in error for words in missing) else None


def refuse_operators(metadata: Mapping[str, Any]) -> None:
    """Raise RunError for a ConfigMap that Knative's operator owns, and so brings back."""
    owners = metadata.get("ownerReferences") or []
    if any(owner.get("kind") == OPERATOR[1] for owner in owners):
        raise pulumi.RunError(OPERATOR_RULES)
