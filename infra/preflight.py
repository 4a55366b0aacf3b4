"""Everything that is checked before a resource is registered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from infra import releases
from infra.config.problems import ConfigError
from infra.config.settings import Settings
from infra.manifests.model_config import RenderError

if TYPE_CHECKING:
    from infra.releases import Releases


def preflight() -> tuple[Settings, Releases]:
    """The stack's settings, and its releases from the project's folder, where Pulumi runs this.

    Raises pulumi.RunError, which is shown as it is.
    """
    try:
        settings = Settings.from_config(pulumi.runtime.config.CONFIG.get())
        found = releases.load(settings.models, Path.cwd(), settings.stack.promotion)
    except (ConfigError, releases.ReleasesError, RenderError) as error:
        raise pulumi.RunError(str(error)) from None
    if settings.stack.promotion.override:
        pulumi.log.warn(f"promotion.override: {settings.stack.promotion.override}")
    return settings, found
