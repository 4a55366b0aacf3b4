"""Knative's settings: tags of nvcr.io not resolved, time enough to start, GPU nodes allowed.

They are kept in ConfigMaps, or in the KnativeServing resource where Knative's operator rules: it
reverts what anybody else writes into the ConfigMaps.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.kubernetes import KubernetesObject, existing_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.sections import Knative

NAMESPACE = "knative-serving"
CONFIG, FEATURES = "config-deployment", "config-features"
OPERATOR = ("operator.knative.dev/v1beta1", "KnativeServing", "knative-serving")
FIELD_MANAGER = "kserve-triton"
REGISTRIES = "registries-skipping-tag-resolving"
DEADLINE = "progress-deadline"
# Still read by Knative, though the kebab-case key wins over it.
OLD_REGISTRIES = "registriesSkippingTagResolving"
# Which registries were added here, so that one taken out of the settings goes again.
ADDED = "kserve-triton.dev/added-registries"
# What Knative skips where the key is absent; setting the key replaces them.
DEFAULTS = ("kind.local", "ko.local", "dev.local")
SET = "pulumi config set --path 'knative.managedBy'"
NO_KNATIVE = (
    f"{CONFIG} in namespace {NAMESPACE} can't be read: is Knative Serving installed in this "
    f"cluster? Install it, or leave it alone: {SET} none"
)
NO_OPERATOR = (
    f"KnativeServing {OPERATOR[2]} in namespace {NAMESPACE} can't be read: does Knative's operator "
    f"rule this cluster? If it does not: {SET} configmap"
)
OPERATOR_RULES = (
    f"{CONFIG} in namespace {NAMESPACE} belongs to Knative's operator, which would revert what is "
    f"set here; found knative.managedBy configmap; allowed: operator, or none: {SET} operator"
)


@dataclass(frozen=True)
class KnativeConfigArgs:
    """The stack's settings for Knative, and keys of `config-features` that its models need."""

    knative: Knative
    features: Mapping[str, str]


class KnativeConfig(pulumi.ComponentResource):
    """Owns two keys, keeps the registries that others skip already."""

    registries: pulumi.Output[str | None]

    def __init__(
        self, name: str, args: KnativeConfigArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:KnativeConfig", name, None, opts)
        self._name, self._args = name, args
        patch = {"configmap": self._patch_config_maps, "operator": self._patch_operator}
        wanted = patch.get(args.knative.managed_by)
        self.registries = wanted() if wanted else pulumi.Output.from_input(None)
        self.register_outputs({"registries": self.registries})

    def _patch_config_maps(self) -> pulumi.Output[str | None]:
        existing = self._existing("v1", "ConfigMap", CONFIG, {"data": None}, NO_KNATIVE)
        found = pulumi.Output.all(existing.output("data"), existing.output("metadata"))
        registries = found.apply(lambda both: self._union(both[0], both[1]))
        self._apply("v1", "ConfigMap", CONFIG, {"data": self._deployment(registries)})
        if self._args.features:
            self._apply("v1", "ConfigMap", FEATURES, {"data": dict(self._args.features)})
        return registries

    def _patch_operator(self) -> pulumi.Output[str | None]:
        version, kind, name = OPERATOR
        existing = self._existing(version, kind, name, {"spec": None}, NO_OPERATOR)
        found = pulumi.Output.all(existing.output("spec"), existing.output("metadata"))
        registries = found.apply(lambda both: self._union(_configured(both[0]), both[1]))
        config: dict[str, Any] = {"deployment": self._deployment(registries)}
        if self._args.features:
            config["features"] = dict(self._args.features)
        self._apply(version, kind, name, {"spec": {"config": config}})
        return registries

    def _deployment(self, registries: pulumi.Output[str | None]) -> dict[str, Any]:
        return {REGISTRIES: registries, DEADLINE: self._args.knative.progress_deadline}

    def _union(self, data: Mapping[str, str] | None, metadata: Mapping[str, Any] | None) -> str:
        owners = (metadata or {}).get("ownerReferences") or []
        if any(owner.get("kind") == OPERATOR[1] for owner in owners):
            raise pulumi.RunError(OPERATOR_RULES)
        annotations = (metadata or {}).get("annotations") or {}
        return union(data or {}, annotations, self._args.knative.registries)

    def _existing(
        self, version: str, kind: str, name: str, outputs: dict[str, Any], absent: str
    ) -> KubernetesObject:
        identity = f"{NAMESPACE}/{name}"
        found = existing_object(f"{self._name}-existing", version, kind, identity, outputs, self)
        self._explained = asyncio.ensure_future(_explain(found, absent))
        return found

    def _apply(self, version: str, kind: str, name: str, values: dict[str, Any]) -> None:
        """Own these keys of an object that is there already, and no others."""
        manager = {
            "pulumi.com/patchFieldManager": FIELD_MANAGER,
            "pulumi.com/patchForce": "true",
        }
        if name != FEATURES:
            manager[ADDED] = json.dumps(sorted(self._args.knative.registries))
        metadata = {"name": name, "namespace": NAMESPACE, "annotations": manager}
        KubernetesObject(
            f"{self._name}-{name}",
            version,
            kind,
            {"metadata": metadata} | values,
            pulumi.ResourceOptions(parent=self),
            patch=True,
        )


def union(data: Mapping[str, str], annotations: Mapping[str, str], wanted: Sequence[str]) -> str:
    """The registries to skip: Knative's own, those found, and ours; each once, in that order."""
    found = data.get(REGISTRIES, data.get(OLD_REGISTRIES, ""))
    others = [host.strip() for host in found.split(",") if host.strip()]
    gone = set(_added(annotations)) - set(wanted)
    kept = [host for host in (*DEFAULTS, *others) if host not in gone]
    return ",".join(dict.fromkeys([*kept, *wanted]))


def _added(annotations: Mapping[str, str]) -> list[str]:
    try:
        added = json.loads(annotations.get(ADDED, "[]"))
    except ValueError:
        return []
    return [str(host) for host in added] if isinstance(added, list) else []


def _configured(spec: Mapping[str, Any] | None) -> Mapping[str, str]:
    """What a KnativeServing sets of config-deployment; both names of the section are read."""
    config = (spec or {}).get("config") or {}
    return config.get("deployment") or config.get(CONFIG) or {}


async def _explain(existing: KubernetesObject, absent: str) -> None:
    """The provider only says that the object does not exist; say what that means."""
    try:
        await existing.urn.future()
    except Exception:  # whatever the engine's reason; it reports that itself
        pulumi.log.error(absent)
