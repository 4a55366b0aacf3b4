"""The workflows and actions under .github/, read as YAML."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))


def load(path: Path) -> dict[str, Any]:
    """A workflow or action as a dict."""
    found = yaml.safe_load(path.read_text())
    assert isinstance(found, dict)
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job of every workflow, as `file: job`."""
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield f"{path.name}: {name}", job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step of every job and of every action of our own."""
    for name, job in jobs():
        for step in job["steps"]:
            yield name, step
    for path in ACTIONS:
        for step in load(path)["runs"]["steps"]:
            yield path.parent.name, step


def script(name: str) -> ModuleType:
    """A Python script of .github/, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f".github/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
