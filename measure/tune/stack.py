"""A stack's file: one model's settings read from it, and written into it where they count.

Read with the sections alone: `infra.settings` belongs to the program, whose environment has no
torch, as this one has no pulumi.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from infra.config import ModelSettings, merged
from measure.tune.edit import EditError, set_value
from measure.tune.errors import TuneError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["StackFile"]

PREFIX = "kserve-triton:"
SECTIONS = frozenset(each.alias or name for name, each in ModelSettings.model_fields.items())


@dataclass(frozen=True)
class StackFile:
    """Pulumi.STACK.yaml as it was read: `settings` are the model's, the stack's defaults in it."""

    path: Path
    model: str
    text: str = field(repr=False)
    settings: ModelSettings = field(repr=False)

    @classmethod
    def read(cls, path: Path, model: str) -> StackFile:
        """Raises TuneError."""
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise TuneError(f"{path}: can't be read: {error}") from error
        return cls(path, model, text, _settings(text, model, path.name))

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.path.name.removeprefix("Pulumi.").removesuffix(".yaml")

    def edited(self, changes: Mapping[tuple[str, ...], Any]) -> str:
        """The file's text with these set for the model; every other byte as it was.

        Raises TuneError where the file is written in a way that can't be edited.
        """
        text = self.text
        try:
            for path, value in changes.items():
                text = set_value(text, ["config", *self._place(path[0]), *path[1:]], value)
        except EditError as error:
            wanted = "\n".join(f"  {'.'.join(path)}: {value!r}" for path, value in changes.items())
            raise TuneError(f"{self.path}: {error}; set it by hand:\n{wanted}") from error
        return text

    def diff(self, text: str) -> str:
        """From the file to another text of it, unified."""
        before, after = (each.splitlines(keepends=True) for each in (self.text, text))
        name = self.path.name
        return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))

    def write(self, text: str) -> None:
        """Raises TuneError where somebody else has changed the file meanwhile."""
        if self.path.read_bytes() != self.text.encode():
            raise TuneError(f"{self.path} has changed since the sweep began; nothing was written")
        self.path.write_bytes(text.encode())

    def _place(self, section: str) -> list[str]:
        """Under the model where the stack has others, or where it has its own already."""
        models = _config(self.text, self.path.name)["models"]
        if len(models) > 1 or section in models[self.model]:
            return [f"{PREFIX}models", self.model, section]
        return [f"{PREFIX}{section}"]


def _settings(text: str, model: str, name: str) -> ModelSettings:
    config = _config(text, name)
    models = config.get("models")
    if not isinstance(models, dict) or not isinstance(models.get(model), dict):
        known = ", ".join(models) if isinstance(models, dict) else "none"
        raise TuneError(f"model {model}: not in {name}; it has {known}")
    shared = {key: value for key, value in config.items() if key in SECTIONS}
    try:
        return ModelSettings.model_validate(merged(shared, models[model]))
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        raise TuneError("\n".join([f"wrong in {name}:", *lines])) from error


def _config(text: str, name: str) -> dict[str, Any]:
    """The project's own keys, without the prefix."""
    try:
        raw = (yaml.safe_load(text) or {}).get("config") or {}
        return {
            key.removeprefix(PREFIX): value for key, value in raw.items() if key.startswith(PREFIX)
        }
    except (yaml.YAMLError, AttributeError) as error:
        raise TuneError(f"{name}: not a stack's file: {error}") from error
