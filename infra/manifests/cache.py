"""KServe's LocalModelCache: a model kept on the disks of a group of nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.names import Manifest, labels
from release.schema import digest, short

if TYPE_CHECKING:
    from infra.manifests.served_release import ServedRelease

# Room for config.pbtxt, labels and warm-up data beside the model.
BESIDE_BYTES = 16 * 1024**2


def local_model_cache(served: ServedRelease) -> Manifest:
    """Metadata and spec. It has no namespace: its name is made of the storage URI.

    So stacks with buckets of their own have caches of their own. KServe serves from the cache
    whatever InferenceService names the same storage URI, unless it disables this, and labels it
    with the cache's name.
    """
    predictor = served.settings.predictor
    bytes_ = served.artefact.release.model.bytes + BESIDE_BYTES
    made: Manifest = {
        "metadata": {
            "name": f"{served.name}-{short(digest(served.storage_uri.encode()))}",
            "labels": labels(served.name),
        },
        "spec": {
            "sourceModelUri": served.storage_uri,
            "modelSize": f"{-(-bytes_ // 1024**2)}Mi",
            "nodeGroups": [predictor.cache_node_group],
        },
    }
    if predictor.service_account:
        made["spec"]["serviceAccountName"] = predictor.service_account
    return made
