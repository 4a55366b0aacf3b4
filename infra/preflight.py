"""Everything that is checked before a resource is registered."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from infra import releases
from infra.config.images import unpublished
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from infra.kubeconfig import check_context
from infra.manifests.model_config import RenderError

if TYPE_CHECKING:
    from infra.config import Triton
    from infra.releases import Releases


def preflight() -> tuple[Settings, Releases]:
    """The stack's settings, and its releases from the project's folder, where Pulumi runs this.

    Raises pulumi.RunError, which is shown as it is.
    """
    config = pulumi.runtime.config.CONFIG.get()
    context = check_context(config, os.environ)
    try:
        settings = Settings.from_config(config)
        found = releases.load(settings.models, Path.cwd(), settings.stack.promotion)
    except (ConfigError, releases.ReleasesError, RenderError) as error:
        raise pulumi.RunError("\n".join(filter(None, [context, str(error)]))) from None
    if context:
        raise pulumi.RunError(context)
    for warning in [
        *warnings(settings),
        *found.waiting,
        *unused_batching(settings, found),
        *unbounded_handlers(settings, found),
    ]:
        pulumi.log.warn(warning)
    return settings, found


def warnings(settings: Settings) -> list[str]:
    """What every preview and update shows about settings that are allowed, but dangerous."""
    found = []
    if settings.stack.promotion.override:
        found.append(f"promotion.override: {settings.stack.promotion.override}")
    models = settings.models.values()
    transformers = [model.transformer.image for model in models if model.transformer.enabled]
    if images := unpublished([settings.stack.jobs.image, *transformers]):
        found.append(
            f"never published: {' and '.join(images)}. images.lock.json has no images of this "
            "version: run the release workflow, or set jobs.image and transformer.image"
        )
    return found


def unused_batching(settings: Settings, releases: Releases) -> list[str]:
    """Settings of batching that a release without a batch dimension ignores."""
    found = []
    for name, artefact in releases.stable.items():
        triton = settings.models[name].triton
        if not artefact.release.batching and (keys := _batching(triton)):
            found.append(
                f"models.{name}.triton: {', '.join(keys)}: no effect, since the release has no "
                "batch dimension"
            )
    return found


def unbounded_handlers(settings: Settings, releases: Releases) -> list[str]:
    """Handlers whose processes may take all the memory of the transformer's container."""
    found = []
    for name, artefact in releases.stable.items():
        model = settings.models[name]
        run = model.transformer.enabled and not model.transformer.own
        if artefact.release.handler and run and model.handler.memory is None:
            key = f"models.{name}.handler.memory"
            found.append(
                f"{key}: none, so a handler that takes too much memory ends the whole container; "
                f"set it: pulumi config set --path {key} 256Mi"
            )
    return found


def _batching(triton: Triton) -> list[str]:
    """Settings of batching that a stack's file has."""
    values = {
        "maxBatchSize": "max_batch_size" in triton.model_fields_set and triton.max_batch_size,
        "preferredBatchSizes": triton.preferred_batch_sizes,
        "queueDelayMicroseconds": triton.queue_delay_microseconds,
    }
    return [name for name, value in values.items() if value]
