"""Clusters and stacks for benchmarks: this project's program, driven by the real CLI."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local.environment import environment
from local.layout import ROOT, Layout
from release import files, lock
from release.files import RELEASE_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from release.schema import Release

PROGRAM = ("Pulumi.yaml", "__main__.py", "infra", "release", "templates")


@contextlib.contextmanager
def cluster() -> Iterator[tuple[Path, Layout]]:
    """Start a local cluster and make a folder; both are deleted at the end. Raises LocalError."""
    # Only the environment of the local cluster has what this imports; the pages need the rest.
    from local.cluster import bring_down, bring_up  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="kserve-triton-bench-") as base:
        layout = Layout(Path(base) / "cluster")
        bring_up(layout)
        try:
            yield Path(base), layout
        finally:
            bring_down(layout)


class Project:
    """A folder with a program and one stack on the cluster."""

    def __init__(self, folder: Path, layout: Layout, stack: str) -> None:
        self.folder, self.layout = folder, layout
        self.pulumi("stack", "init", stack)

    def pulumi(self, *words: str) -> None:
        """Run the CLI. Raises RuntimeError with its output."""
        done = subprocess.run(
            ["pulumi", *words, "--non-interactive"],
            cwd=self.folder,
            env=environment(self.layout),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(words)}: {done.stdout}{done.stderr}")


def program(
    folder: Path,
    layout: Layout,
    stack: str,
    models: Mapping[str, Mapping[str, Any]],
    changes: Mapping[str, Any],
) -> Project:
    """This program with the local stack's settings and `changes`; every model is `digits`."""
    folder.mkdir()
    for name in PROGRAM:
        (folder / name).symlink_to(ROOT / name)
    for name in models:
        lock.pin(folder / "models.lock.json", _release(folder, name))
    made = Project(folder, layout, stack)
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    config |= {f"kserve-triton:{key}": value for key, value in changes.items()}
    config["kserve-triton:models"] = dict(models)
    path = folder / f"Pulumi.{stack}.yaml"
    # As JSON: PyYAML leaves the quotes away around 871904236e22, a number for Pulumi.
    path.write_text(json.dumps(yaml.safe_load(path.read_text()) | {"config": config}))
    return made


def _release(folder: Path, name: str) -> Release:
    """The release of `digits` under another name."""
    source, target = ROOT / "build" / "digits", folder / "build" / name
    release = replace(files.read(source / RELEASE_JSON), name=name)
    files.write(target / RELEASE_JSON, release.to_json())
    for file in release.files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        (target / file).symlink_to(source / file)
    return release
