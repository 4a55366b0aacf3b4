"""How a release's handler reaches its transformer: beside release.json, or from the bucket.

In the bucket it lies in the model's own folder. Beside Triton that folder is mounted already;
KServe's webhook refuses STORAGE_URI there. In pods of its own the variable STORAGE_URI makes KServe
bring the folder to /mnt/models (transformer_custom.go and storage_initializer_injector.go of 0.20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.config.handler import encode
from infra.config.types import Placement
from infra.manifests.artefact import HANDLER
from infra.manifests.pods import RELEASE_MOUNT

if TYPE_CHECKING:
    from infra.manifests.served_release import ServedRelease

# The transformer's environment: the handler's folder, its parameters as JSON, MiB of its processes.
FOLDER_VARIABLE, PARAMETERS_VARIABLE = "HANDLER", "HANDLER_PARAMETERS"
MEMORY_VARIABLE = "HANDLER_MEMORY"
STORAGE_VARIABLE = "STORAGE_URI"
MODELS_MOUNT = "/mnt/models"


def handler_environment(served: ServedRelease) -> dict[str, str]:
    """Environment variables of the transformer's container; none without a handler."""
    handler = served.artefact.release.handler
    if handler is None:
        return {}
    settings = served.settings.handler
    values = handler.parameters | settings.parameters
    # Kubernetes would take any $(NAME) in a value for another variable, unless it is escaped.
    parameters = encode(values).replace("$", "$$")
    made = _place(served) | {PARAMETERS_VARIABLE: parameters}
    return made | ({MEMORY_VARIABLE: str(settings.memory_mib)} if settings.memory_mib else {})


def _place(served: ServedRelease) -> dict[str, str]:
    if served.artefact.handler_in_map:
        return {FOLDER_VARIABLE: f"{RELEASE_MOUNT}/{HANDLER}"}
    folder = f"{served.name}/{HANDLER}"
    if served.settings.placement is Placement.COLLOCATED:
        return {FOLDER_VARIABLE: f"{MODELS_MOUNT}/{folder}"}
    return {FOLDER_VARIABLE: MODELS_MOUNT, STORAGE_VARIABLE: f"{served.storage_uri}/{folder}"}


def fetches_handler(served: ServedRelease) -> bool:
    """Whether pods of the transformer get the handler from the bucket themselves."""
    settings = served.settings
    ours = settings.separate_transformer and not settings.transformer.own
    return ours and served.artefact.handler_in_bucket
