"""Starts a container, or sets the reason why it can't be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.api import ApiError
from local.node.container import BACK_OFF_LIMIT, Container, ImageError
from local.node.sandbox.client import SandboxError
from local.node.variables import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.api import Object
    from local.node.host import Host
    from local.node.sandbox.client import Exit
    from local.node.volumes import Volumes

__all__ = ["start"]

_AGAIN, _PULL_AGAIN = 2.0, 10.0


def start(
    host: Host,
    pod: Object,
    container: Container,
    volumes: Volumes,
    hosts: Path,
    ended: Callable[[str, Exit], None],
) -> None:
    """Start a container. If that fails, its status has the reason."""
    try:
        container.start(pod["metadata"]["uid"], volumes, hosts, ended)
    except ImageError as error:
        before = container.status.state.get("waiting", {}).get("reason")
        if before in ("ErrImagePull", "ImagePullBackOff"):
            container.wait("ImagePullBackOff", str(error), BACK_OFF_LIMIT)
        else:
            container.wait("ErrImagePull", str(error), _PULL_AGAIN)
    except (ConfigError, ApiError, OSError) as error:
        container.wait("CreateContainerConfigError", str(error), _AGAIN)
    except SandboxError as error:
        container.wait("RunContainerError", str(error), _AGAIN)
    else:
        host.events.add(pod, "Started", "Started container", on=container.name)
        return
    message = container.status.state["waiting"]["message"]
    host.events.add(pod, "Failed", f"Error: {message}", bad=True, on=container.name)
