"""Knative's settings: tags of nvcr.io not resolved, time enough to start, GPU nodes allowed.

They are kept in ConfigMaps, or in the KnativeServing resource where Knative's operator rules: it
reverts what anybody else writes into the ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from infra import failures
from infra.kubernetes import KubernetesObject
from infra.manifests.knative import OPERATOR, config_maps, knative_serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.manifests.common import Manifest
    from infra.sections import Knative

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


@dataclass(frozen=True)
class KnativeConfigArgs:
    """The stack's settings for Knative, and keys of `config-features` that its models need."""

    knative: Knative
    features: Mapping[str, str]


class KnativeConfig(pulumi.ComponentResource):
    """Declares keys under the stack's field manager, and takes none by force unless told to.

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
                self._declare("v1", "ConfigMap", manifest, NO_KNATIVE)
        elif args.knative.managed_by == "operator":
            version, kind, _ = OPERATOR
            manifest = knative_serving(args.knative, args.features, stack)
            self._declare(version, kind, manifest, NO_OPERATOR)
        self.register_outputs({})

    def _declare(self, version: str, kind: str, manifest: Manifest, absent: str) -> None:
        name = manifest["metadata"]["name"]

        def explain(error: str) -> str:
            return TAKEN if "conflict" in error else absent

        KubernetesObject(
            f"{self._name}-{name}",
            version,
            kind,
            manifest,
            pulumi.ResourceOptions(
                parent=self, hooks=failures.explained(f"{self._name}-{name}", explain)
            ),
            patch=True,
            force=self._force,
        )
