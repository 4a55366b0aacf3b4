"""A release as a stack serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.config import MonitoringSettings
from infra.config.types import UrlScheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.config import ModelSettings, StackSettings
    from infra.manifests.artefact import Artefact


@dataclass(frozen=True)
class ServedRelease:
    """A release with the settings, storage URI and namespace by which it is served."""

    artefact: Artefact
    settings: ModelSettings
    namespace: str
    storage_uri: str
    pull_secrets: Sequence[str] = ()
    monitoring: MonitoringSettings = field(default=MonitoringSettings())
    domain: str | None = None
    url_scheme: UrlScheme = UrlScheme.HTTP

    @property
    def name(self) -> str:
        """The model's name, and the service's."""
        return self.artefact.name


def serve(artefact: Artefact, settings: ModelSettings, stack: StackSettings) -> ServedRelease:
    """A release as the stack serves it, from the bucket or from an image.

    The URI is plain text, not an output of the bucket: a preview can then dry-run what names it.
    """
    uri = settings.storage_uri or f"gs://{stack.storage.bucket}/{artefact.prefix}"
    return ServedRelease(
        artefact,
        settings,
        stack.namespace,
        uri,
        stack.pull_secrets,
        stack.monitoring,
        stack.domain,
        stack.url_scheme,
    )
