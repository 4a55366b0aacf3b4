"""Finding the definitions of a folder, and loading one. torch is imported by the definition."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from model.definition import Definition
from model.errors import author_code
from release.schema import NAME, NAME_RULE, Format, ImageInput, ReleaseError

__all__ = ["DEFINITIONS", "Found", "find", "find_all", "load"]

DEFINITIONS = Path(__file__).parent / "definitions"


@dataclass(frozen=True)
class Found:
    """A definition: the model's name, and the path of NAME.py or of the folder NAME/."""

    name: str
    path: Path

    @property
    def source(self) -> Path:
        """The Python file with `definition`."""
        return self.path / "__init__.py" if self.path.is_dir() else self.path

    @property
    def weights(self) -> Path:
        """Where the weights are, if there are any."""
        if self.path.is_dir():
            return self.path / "weights.safetensors"
        return self.path.with_suffix(".safetensors")

    @property
    def handler(self) -> Path | None:
        """The folder of the handler; a definition of one file has none."""
        folder = self.path / "handler"
        return folder if folder.is_dir() else None

    def command(self, command: str, *options: str) -> str:
        """A command on this definition, as it is typed."""
        folder = self.path.parent
        other = () if folder == DEFINITIONS else ("--definitions", str(folder))
        return " ".join(("python -m model", command, self.name, *other, *options))


def find_all(folder: Path) -> dict[str, Path]:
    """Name -> path of every definition in a folder. Raises ReleaseError."""
    if not folder.is_dir():
        raise ReleaseError(f"{folder}: no such folder; allowed: a folder with definitions")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name[0] in "._" or not _is_definition(path):
            continue
        name = path.stem.replace("_", "-")
        if name in found:
            raise ReleaseError(f"{found[name]} and {path}: both define {name}; rename one")
        found[name] = path
    return found


def _is_definition(path: Path) -> bool:
    return (path / "__init__.py").is_file() if path.is_dir() else path.suffix == ".py"


def find(name: str, folder: Path) -> Found:
    """The definition of this name. Raises ReleaseError, which lists the ones that there are."""
    found = find_all(folder)
    if name not in found:
        new = f"; to add one: python -m model new {name}" if NAME.fullmatch(name) else ""
        raise ReleaseError(
            f"model {name!r}; allowed: {', '.join(found) or 'none'}, the definitions in "
            f"{folder}{new}"
        )
    if not NAME.fullmatch(name):
        raise ReleaseError(f"{found[name]}: model name {name!r}; allowed: {NAME_RULE}; rename it")
    return Found(name, found[name])


def load(found: Found) -> Definition:
    """Run the file; raises ReleaseError, with the file and the line, if that fails."""
    # The name is in the model's file, so it must not depend on where the definition is.
    module_name = f"definitions.{found.path.stem}"
    spec = importlib.util.spec_from_file_location(
        module_name,
        found.source,
        submodule_search_locations=[str(found.path)] if found.path.is_dir() else None,
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for stale in [key for key in sys.modules if f"{key}.".startswith(f"{module_name}.")]:
        del sys.modules[stale]
    sys.modules[module_name] = module
    with author_code(f"{found.source} can't be imported", found.path.parent):
        spec.loader.exec_module(module)
    definition = getattr(module, "definition", None)
    if not isinstance(definition, Definition):
        there = "is missing" if definition is None else f"is a {type(definition).__name__}"
        raise ReleaseError(
            f"{found.source}: `definition` {there}; allowed: definition = Definition(network=…, "
            "examples=…), from model.definition"
        )
    for field, (kind, allowed) in _FIELDS.items():
        value = getattr(definition, field)
        if value is not None and not isinstance(value, kind):
            raise ReleaseError(
                f"{found.source}: {field} is a {type(value).__name__}; allowed: {allowed}"
            )
    if definition.format not in get_args(Format):
        raise ReleaseError(
            f"{found.source}: format {definition.format!r}; allowed: {', '.join(get_args(Format))}"
        )
    return definition


# Field of a definition -> its type, and what the message allows.
_FIELDS: dict[str, tuple[Any, str]] = {
    "network": (Callable, "a function that makes the network, or its class"),
    "examples": (Callable, "a function that returns them"),
    "train": (Callable, "a function, train(network, data) -> Trained"),
    "image": (ImageInput, "ImageInput(width=…, height=…, mean=…, std=…)"),
    "labels": (Sequence | Mapping, "a list of labels, or {index of an output: labels}"),
    "exchanges": (Sequence, "a list of requests, each a list of instances"),
    "parameters": (Mapping, "a dict"),
    "batching": (bool, "True or False"),
}
