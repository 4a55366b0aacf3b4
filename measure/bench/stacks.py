"""Clusters and stacks for benchmarks: this project's program, driven by the real CLI."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local.cluster import bring_down, bring_up
from local.environment import environment
from local.layout import ROOT, Layout
from release.files import RELEASE_JSON, replace
from release.schema import Release, digest, lock_entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROGRAM = ("Pulumi.yaml", "__main__.py", "infra", "release", "templates")


@contextlib.contextmanager
def cluster() -> Iterator[tuple[Path, Layout]]:
    """A local cluster of its own, and a folder that goes with it. Raises LocalError."""
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
        """Raises RuntimeError with what the CLI said."""
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
    """This project's, as the local stack has it but for the changes; every model is `digits`."""
    folder.mkdir()
    for name in PROGRAM:
        (folder / name).symlink_to(ROOT / name)
    lock = {"schema": 1, "models": {name: _release(folder, name) for name in models}}
    (folder / "models.lock.json").write_text(json.dumps(lock))
    made = Project(folder, layout, stack)
    config = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    config |= {f"kserve-triton:{key}": value for key, value in changes.items()}
    config["kserve-triton:models"] = dict(models)
    path = folder / f"Pulumi.{stack}.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"config": config}))
    return made


def _release(folder: Path, name: str) -> dict[str, Any]:
    """The release of `digits` under another name, and what the lock says of it."""
    source, target = ROOT / "build" / "digits", folder / "build" / name
    raw = json.loads((source / RELEASE_JSON).read_text()) | {"name": name}
    release = Release.from_json(json.dumps(raw).encode())
    replace(target / RELEASE_JSON, release.to_json())
    for file in ("model.pt", *(f"warmup/{each}" for each in release.warmup)):
        (target / file).parent.mkdir(exist_ok=True)
        (target / file).symlink_to(source / file)
    entry = lock_entry(release)
    assert entry["digest"] == digest(release.to_json())
    return entry
