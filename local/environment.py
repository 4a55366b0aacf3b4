"""The environment in which plain `pulumi` and `kubectl` work on the local cluster."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from local import proxies
from local.layout import ROOT
from local.toolchain import cache, tool

if TYPE_CHECKING:
    from pathlib import Path

    from local.layout import Layout

__all__ = ["cli_home", "environment", "exports"]


def _folders() -> list[Path]:
    """The front of PATH: the CLI, its language host, the plugins, the program's Python."""
    names = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")
    programs = [tool(name).parent for name in names]
    own = [ROOT / "local" / "plugins", ROOT / ".venv" / "bin"]
    return list(dict.fromkeys([*programs, *own]))


def cli_home() -> Path:
    """The CLI's home. Not the user's own, so that their login is not touched."""
    return cache().parent / "pulumi"


def _settings(layout: Layout) -> dict[str, str]:
    return {
        "KUBECONFIG": str(layout.kubeconfig),
        "STORAGE_EMULATOR_HOST": layout.storage(),
        # The owner's, by the variable that the official gcp plugin reads.
        "GOOGLE_OAUTH_ACCESS_TOKEN": layout.owner_token.read_text(),
        # Without metadata files beside the states: the CLI writes those in place, and a CLI that is
        # killed meanwhile leaves an empty one, which makes every state unreadable.
        "PULUMI_BACKEND_URL": f"file://{layout.pulumi}?metadata=skip",
        "PULUMI_HOME": str(cli_home()),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **proxies.exceptions(os.environ),
    }


def environment(layout: Layout) -> dict[str, str]:
    """Of a child process: this process's environment, with the local cluster's variables."""
    path = os.pathsep.join([*map(str, _folders()), os.environ.get("PATH", os.defpath)])
    return os.environ | _settings(layout) | {"PATH": path}


def exports(layout: Layout) -> str:
    """Commands for a shell: `eval "$(make -s env)"`."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _settings(layout).items()]
    folders = os.pathsep.join(shlex.quote(str(folder)) for folder in _folders())
    return "\n".join([*lines, f'export PATH={folders}:"$PATH"'])
