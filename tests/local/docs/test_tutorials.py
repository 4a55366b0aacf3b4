"""Every command of the tutorials, as typed, in a clone with a local cluster of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from local.layout import ROOT
from tests.docs import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = sorted(path.name for path in (ROOT / "docs" / "tutorials").glob("*.md"))
# Not below /tmp: a pod has a /tmp of its own.
CLONE = ROOT / "build" / "tutorials"
# All of CIFAR-10 as pictures, where it is beside this clone.
PICTURES = ROOT.parent / "shared" / "cifar10-images.tar.gz"
PATIENCE_SECONDS = 420


@dataclass(frozen=True)
class Clone:
    """A folder with the project's files, and the environment of its shell."""

    folder: Path
    environment: dict[str, str]

    def shell(self, code: str, *, cluster: bool = True) -> subprocess.CompletedProcess[str]:
        """Run commands; with `cluster` in a shell that is set up for it."""
        begin = 'eval "$(make -s env)"\n' if cluster else ""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", begin + code],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )

    def run(self, block: blocks.Block) -> str:
        """Run a block; returns its output."""
        code = block.code
        if block.language == "python":
            code = f".venv-model/bin/python - <<'PROGRAM'\n{code}PROGRAM\n"
        done = self.shell(code)
        assert done.returncode == 0, f"{block.code}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    shutil.rmtree(CLONE, ignore_errors=True)
    copy_project(CLONE)
    environment = {key: value for key, value in os.environ.items() if key != "KSERVE_TRITON_LOCAL"}
    if pictures := _pictures(tmp_path_factory):
        environment["CIFAR10"] = str(pictures)
    made = Clone(CLONE, environment)
    try:
        done = made.shell("make up", cluster=False)
        assert done.returncode == 0, done.stdout
        yield made
    finally:
        made.shell("make down", cluster=False)
        shutil.rmtree(CLONE, ignore_errors=True)


def copy_project(folder: Path) -> None:
    """Copy the files of the project; environments and the built model are those of this clone."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # With its time, by which make finds out that nothing has to be made again.
            shutil.copy2(ROOT / name, folder / name)
    for path in (*ROOT.glob(".venv*"), ROOT / ".bootstrap"):
        (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "build" / "digits", folder / "build" / "digits")
    path = folder / "Pulumi.local.yaml"
    stack = yaml.safe_load(path.read_text())
    # That it is measured and judged is tested here; how fast the machine is, is not.
    stack["config"]["kserve-triton:perf"] |= {
        "rate": 20,
        "durationSeconds": 2,
        "objectives": {"p99Ms": 5000, "successRatio": 0.9, "rateRatio": 0.5},
    }
    path.write_text(yaml.safe_dump(stack))


def _pictures(folders: pytest.TempPathFactory) -> Path | None:
    """CIFAR-10 as a folder of pictures: $CIFAR10, or the archive beside this clone, unpacked."""
    if "CIFAR10" in os.environ:
        return Path(os.environ["CIFAR10"]).absolute()
    if not PICTURES.exists():
        return None
    folder = folders.mktemp("cifar10")
    with tarfile.open(PICTURES) as archive:
        members = (each for each in archive if "test/" in each.name)
        archive.extractall(folder, members, filter="data")
    return next(folder.rglob("test")).parent


@pytest.mark.parametrize("page", [name for name in PAGES if name != "README.md"])
def test_a_tutorial(clone: Clone, page: str) -> None:
    stack = clone.folder / "Pulumi.local.yaml"
    before = stack.read_text()
    without_data = False
    try:
        for block in blocks.read(ROOT / "docs" / "tutorials" / page):
            if "$CIFAR10" in block.code and "CIFAR10" not in clone.environment:
                without_data = True
                continue
            output = clone.run(block)
            assert block.output is None or blocks.matches(block.output, output), output
    finally:
        stack.write_text(before)
    if without_data:
        pytest.skip("all else ran; for the 10,000 pictures: make test CIFAR10=FOLDER")
