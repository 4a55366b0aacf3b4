"""The Pulumi CLI runs the pack: what breaks a rule fails a preview in production, and warns else.

The CLI's Python language host of the local cluster is older than the CLI and can't run packs, so
the pack is started by an analyzer plugin: what the CLI looks for where a pack's runtime has no
language host. The engine's side is the same in both cases.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from local.toolchain import tool
from policy.levels import config_file
from tests.policy.process import PACK

if TYPE_CHECKING:
    from pathlib import Path

ROOT = PACK.parent
RUNTIME = "pack"
PROGRAM = """
import pulumi

class Bucket(pulumi.CustomResource):
    def __init__(self, name, protect, **properties):
        options = pulumi.ResourceOptions(protect=protect)
        properties |= {"name": name, "project": "trial-project", "location": "EU"}
        super().__init__("gcp:storage/bucket:Bucket", name, properties, options)

if pulumi.get_stack().startswith("open-"):
    Bucket("open", False)
Bucket(
    "closed",
    True,
    uniformBucketLevelAccess=True,
    publicAccessPrevention="enforced",
    versioning={"enabled": True},
)
"""


@dataclass(frozen=True)
class Project:
    """A Pulumi project with a backend of its own."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool("pulumi"), *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def preview(self, stack: str) -> subprocess.CompletedProcess[str]:
        """A preview of a new stack, with the pack at the levels that the stack's name asks for."""
        made = self.pulumi("stack", "init", stack)
        assert made.returncode == 0, made.stderr
        levels = ["--policy-pack", "pack", "--policy-pack-config", str(config_file(stack))]
        return self.pulumi("preview", "--stack", stack, *levels, "--color", "never")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    for name in ("pack", "bin", "state"):
        (folder / name).mkdir()
    (folder / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "pack" / "PulumiPolicy.yaml").write_text(f"runtime: {RUNTIME}\n")
    plugin = folder / "bin" / f"pulumi-analyzer-policy-{RUNTIME}"
    plugin.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(PACK)])} "$1"\n')
    plugin.chmod(0o755)
    programs = [tool("pulumi").parent, tool("pulumi-language-python").parent]
    own = [plugin.parent, ROOT / "local" / "plugins", ROOT / ".venv" / "bin"]
    settings = {
        "PATH": os.pathsep.join([*map(str, own + programs), os.environ.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A preview of what isn't there yet asks nobody, but the plugin wants an address.
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
    }
    return Project(folder, dict(os.environ) | settings)


def test_an_open_bucket_fails_a_preview_of_production(project: Project) -> None:
    ran = project.preview("open-prod")
    assert ran.returncode != 0
    for rule in ("private", "protected", "uniform-access", "versioned"):
        assert f"[mandatory]  bucket-{rule}  (gcp:storage:Bucket: open)" in ran.stdout
    assert "Bucket: closed)" not in ran.stdout


def test_an_open_bucket_is_told_of_elsewhere_and_needs_no_protection(project: Project) -> None:
    ran = project.preview("open-dev")
    assert ran.returncode == 0, ran.stdout
    for rule in ("private", "uniform-access", "versioned"):
        assert f"[advisory]  bucket-{rule}  (gcp:storage:Bucket: open)" in ran.stdout
    assert "bucket-protected" not in ran.stdout


def test_a_closed_bucket_passes_a_preview_of_production(project: Project) -> None:
    ran = project.preview("prod")
    assert ran.returncode == 0, ran.stdout
    assert "[mandatory]" not in ran.stdout
    assert "kserve-triton@v" in ran.stdout
