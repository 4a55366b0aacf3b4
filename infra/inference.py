"""One model served: its release, its InferenceService."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from infra.addresses import predict_url
from infra.kubernetes import KubernetesObject
from infra.manifests import inference_service, labels, release_map_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.releases import Artefact
    from infra.sections import ModelSettings

MODE = 'metadata.annotations["serving.kserve.io/deploymentMode"]'


@dataclass(frozen=True)
class InferenceArgs:
    """What is served, how, where; `objects` are what must be in the bucket before."""

    artefact: Artefact
    settings: ModelSettings
    namespace: str
    domain: str | None
    storage_uri: str
    objects: Sequence[pulumi.Resource] = field(default=())


class Inference(pulumi.ComponentResource):
    """An InferenceService with Triton and the transformer; applied here, proven elsewhere."""

    url: str
    service: CustomResource

    def __init__(
        self, name: str, args: InferenceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:index:Inference", name, None, opts)
        self.url = predict_url(name, args.namespace, args.settings, args.domain)
        release = self._release(args.artefact, args.namespace)
        manifest = inference_service(args.artefact, args.settings, args.namespace, args.storage_uri)
        self.service = CustomResource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata=manifest["metadata"],
            spec=manifest["spec"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[release, *args.objects],
                # KServe refuses to change the mode; the name allows only one of it at a time.
                replace_on_changes=[MODE],
                delete_before_replace=True,
            ),
        )
        self.register_outputs({"url": self.url})

    def _release(self, artefact: Artefact, namespace: str) -> KubernetesObject:
        """Named by content and immutable, so that running pods keep the one they began with."""
        name = release_map_name(artefact)
        return KubernetesObject(
            name,
            "v1",
            "ConfigMap",
            {
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": labels(artefact.name),
                },
                "data": {"release.json": artefact.text},
                "immutable": True,
            },
            pulumi.ResourceOptions(parent=self),
        )
