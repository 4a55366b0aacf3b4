"""Knative's ConfigMaps: tags of nvcr.io not resolved, time enough to start, GPU nodes allowed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra.kubernetes import KubernetesObject, existing_config_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.sections import Knative

NAMESPACE = "knative-serving"
CONFIG = "config-deployment"
FEATURES = "config-features"
FIELD_MANAGER = "kserve-triton"
REGISTRIES = "registries-skipping-tag-resolving"
DEADLINE = "progress-deadline"
# Still read by Knative, though the kebab-case key wins over it.
OLD_REGISTRIES = "registriesSkippingTagResolving"
# Which registries were added here, so that one taken out of the settings goes again.
ADDED = "kserve-triton.dev/added-registries"
# What Knative skips where the key is absent; setting the key replaces them.
DEFAULTS = ("kind.local", "ko.local", "dev.local")
ABSENT = (
    f"{CONFIG} in namespace {NAMESPACE} can't be read: is Knative Serving installed in this "
    "cluster? Install it, or leave it alone: "
    "pulumi config set --path 'knative.managedBy' none"
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
        self._name = name
        managed = args.knative.managed_by == "configmap"
        self.registries = self._patch(args.knative) if managed else pulumi.Output.from_input(None)
        if managed and args.features:
            self._apply(FEATURES, dict(args.features), {})
        self.register_outputs({"registries": self.registries})

    def _patch(self, settings: Knative) -> pulumi.Output[str | None]:
        existing = existing_config_map(f"{self._name}-existing", f"{NAMESPACE}/{CONFIG}", self)
        self._explained = asyncio.ensure_future(_explain(existing))
        registries = pulumi.Output.all(existing.output("data"), existing.output("metadata")).apply(
            lambda found: union(found[0] or {}, _annotations(found[1]), settings.registries)
        )
        data = {REGISTRIES: registries, DEADLINE: settings.progress_deadline}
        self._apply(CONFIG, data, {ADDED: json.dumps(sorted(settings.registries))})
        return registries

    def _apply(self, config: str, data: dict[str, Any], annotations: dict[str, str]) -> None:
        """Own these keys of one of Knative's ConfigMaps, and no others."""
        manager = {
            "pulumi.com/patchFieldManager": FIELD_MANAGER,
            "pulumi.com/patchForce": "true",
        }
        metadata = {
            "name": config,
            "namespace": NAMESPACE,
            "annotations": manager | annotations,
        }
        KubernetesObject(
            f"{self._name}-{config}",
            "v1",
            "ConfigMap",
            {"metadata": metadata, "data": data},
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


def _annotations(metadata: Mapping[str, Any] | None) -> Mapping[str, str]:
    return (metadata or {}).get("annotations") or {}


async def _explain(existing: KubernetesObject) -> None:
    """The provider only says that the object does not exist; say what that means."""
    try:
        await existing.urn.future()
    except Exception:  # whatever the engine's reason; it reports that itself
        pulumi.log.error(ABSENT)
