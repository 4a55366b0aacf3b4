"""KServe's LocalModelCache: a model kept on the disks of a group of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.common import Manifest, labels

if TYPE_CHECKING:
    from infra.manifests.inference_service import Serving

# config.pbtxt, labels and warm-up data beside the model, and room for a file system's blocks.
BESIDE_BYTES = 16 * 1024**2


def local_model_cache(serving: Serving) -> Manifest:
    """Metadata and spec; of the whole cluster, so that its name holds the namespace too.

    KServe serves from the cache whatever InferenceService names the same storage URI.
    """
    predictor = serving.settings.predictor
    bytes_ = serving.artefact.release.model.bytes + BESIDE_BYTES
    made: Manifest = {
        "metadata": {
            "name": f"{serving.namespace}-{serving.name}-{serving.artefact.version}",
            "labels": labels(serving.name),
        },
        "spec": {
            "sourceModelUri": serving.storage_uri,
            "modelSize": f"{-(-bytes_ // 1024**2)}Mi",
            "nodeGroups": [predictor.cache_node_group],
        },
    }
    if predictor.service_account:
        made["spec"]["serviceAccountName"] = predictor.service_account
    return made
