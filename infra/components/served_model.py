"""One model served: its releases, its InferenceService, and what protects its pods."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi

from infra.components.kubernetes import KubernetesObject
from infra.config.types import Mode
from infra.manifests.addresses import predict_url
from infra.manifests.cache import local_model_cache
from infra.manifests.common import labels, release_map_name
from infra.manifests.inference_service import inference_service
from infra.manifests.protection import disruption_budgets, network_policies, split_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import Network
    from infra.manifests.inference_service import Serving

MODE = 'metadata.annotations["serving.kserve.io/deploymentMode"]'


@dataclass(frozen=True)
class InferenceArgs:
    """What is served and to whom; `objects` are what must be in the bucket before."""

    stable: Serving
    canary: Serving | None
    domain: str | None
    network: Network
    objects: Sequence[pulumi.Resource] = field(default=())


class Inference(pulumi.ComponentResource):
    """An InferenceService with Triton and the transformer; applied here, proven elsewhere."""

    url: str
    service: KubernetesObject

    def __init__(
        self, name: str, args: InferenceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Inference", name, None, opts)
        stable, canary = args.stable, args.canary
        settings, namespace = stable.settings, stable.namespace
        self.url = predict_url(name, namespace, settings, args.domain)
        servings = [stable, canary] if canary else [stable]
        before = [self._release(each) for each in servings]
        before += [self._cache(each) for each in servings if settings.predictor.cache_node_group]
        if canary and settings.mode is Mode.STANDARD:
            split = split_service(name, namespace, settings)
            before.append(self._object(f"{name}-split", "v1", "Service", split))
        manifest = inference_service(stable, canary)
        self.service = KubernetesObject(
            name,
            "serving.kserve.io/v1beta1",
            "InferenceService",
            manifest,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[*before, *args.objects],
                # KServe refuses to change the mode; the name allows only one of it at a time.
                replace_on_changes=[MODE],
                delete_before_replace=True,
            ),
        )
        self._guard(args)
        self.register_outputs({"url": self.url})

    def _release(self, serving: Serving) -> KubernetesObject:
        """Named by content and immutable, so that running pods keep the one they began with."""
        name = release_map_name(serving.artefact)
        manifest = {
            "metadata": {
                "name": name,
                "namespace": serving.namespace,
                "labels": labels(serving.name),
            },
            "data": {"release.json": serving.artefact.text},
            "immutable": True,
        }
        return self._object(name, "v1", "ConfigMap", manifest)

    def _cache(self, serving: Serving) -> KubernetesObject:
        manifest = local_model_cache(serving)
        name = manifest["metadata"]["name"]
        return self._object(name, "serving.kserve.io/v1alpha1", "LocalModelCache", manifest)

    def _guard(self, args: InferenceArgs) -> None:
        stable = args.stable
        name, namespace, settings = stable.name, stable.namespace, stable.settings
        for each, manifest in disruption_budgets(name, namespace, settings).items():
            self._object(each, "policy/v1", "PodDisruptionBudget", manifest)
        if args.network.enabled:
            policies = network_policies(name, namespace, settings, args.network)
            for each, manifest in policies.items():
                self._object(each, "networking.k8s.io/v1", "NetworkPolicy", manifest)

    def _object(
        self, name: str, version: str, kind: str, manifest: dict[str, Any]
    ) -> KubernetesObject:
        return KubernetesObject(name, version, kind, manifest, pulumi.ResourceOptions(parent=self))
