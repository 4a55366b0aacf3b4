"""Commands and paths that the documentation names exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
FOLDERS = {path.split("/")[0] for path in TRACKED if "/" in path}
# Decisions name what was there when they were made; comments in docs/review/ are generated.
PAGES = sorted(
    path for path in TRACKED if re.fullmatch(r"[A-Z]+\.md|docs/(tutorials/)?[A-Za-z-]+\.md", path)
)
# Written by the reader of a page, or by a command on it.
WRITTEN = {"bootstrap/Pulumi.dev.yaml", "requirements/torch-cpu.txt"}
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")


@pytest.mark.parametrize("page", PAGES)
def test_the_targets_of_make_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^|&& |\()make (?:-s )?([a-z][\w-]*)(?![\w./])", _code(page), re.M))
    assert not [name for name in named if not re.search(rf"^{name}:", makefile, re.M)]


@pytest.mark.parametrize("page", PAGES)
def test_the_modules_that_commands_run_exist(page: str) -> None:
    named = set(re.findall(r"python -m\s+([a-z_.]*[a-z_])", _code(page))) - {"pytest"}
    files = {name: ROOT / name.replace(".", "/") for name in named}
    missing = [
        name
        for name, file in files.items()
        if not (file / "__main__.py").exists() and not file.with_suffix(".py").exists()
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_the_paths_in_this_repository_exist(page: str) -> None:
    named = {path for path in PATH.findall(_text(page)) if path.split("/")[0] in FOLDERS}
    named = {path for path in named - WRITTEN if "NAME" not in path}
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_readme_is_short() -> None:
    assert len(_text("README.md").splitlines()) < 150


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/images/*")), ids=lambda path: path.name)
def test_a_picture_loads_fast(picture: Path) -> None:
    assert picture.stat().st_size < 150_000


def _text(page: str) -> str:
    return (ROOT / page).read_text()


def _code(page: str) -> str:
    """The fenced blocks, and the code in sentences, each from the beginning of a line."""
    fence = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
    inline = re.findall(r"`([^`\n]+)`", fence.sub("", _text(page)))
    return "\n".join([*fence.findall(_text(page)), *inline])
