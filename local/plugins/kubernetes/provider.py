"""The kubernetes provider: its configuration and its types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.plugins.kubernetes.cluster import Cluster
from local.plugins.kubernetes.kinds import TYPES
from local.plugins.kubernetes.objects import OwnedObject, PatchedObject
from local.plugins.provider import Provider

if TYPE_CHECKING:
    from local.plugins.resource import Values


class KubernetesProvider(Provider):
    """The kinds that this program uses, on any cluster."""

    name = "kubernetes"
    # The SDK's version, as the engine compares; what follows the plus tells it apart.
    version = "4.32.0+kserve-triton"
    configuration = frozenset({"kubeconfig", "context", "namespace"})
    notice = (
        "kubernetes: this project's own plugin stands in for the official one; it knows the kinds "
        "that this program uses"
    )

    def __init__(self, engine_address: str = "") -> None:
        super().__init__(engine_address)
        self.cluster = Cluster()
        self.resources = {
            token: (PatchedObject if type_.patch else OwnedObject)(self.cluster, type_.kind)
            for token, type_ in TYPES.items()
        }

    def configure(self, settings: Values) -> None:
        self.cluster.configure(*(settings.get(key, "") for key in _SETTINGS))


_SETTINGS = ("kubeconfig", "context", "namespace")
