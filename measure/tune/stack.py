"""A stack's file: reads the settings of a model, and writes changes of them.

Read with the classes of `infra.config`, without pulumi, which this environment does not have.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError

from infra.config import ModelSettings, Promotion, Section, merged
from measure.tune.deployment import TuneError
from measure.tune.edit import EditError, set_value
from release.stacks import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["StackFile"]

PREFIX = f"{PROJECT}:"
SECTIONS = frozenset(each.alias or name for name, each in ModelSettings.model_fields.items())
S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class StackFile:
    """Pulumi.STACK.yaml; `settings` are the model's, with the stack's defaults.

    `promotion` is the stack's, by which it chooses the model's release.
    """

    path: Path
    model: str
    text: str = field(repr=False)
    settings: ModelSettings = field(repr=False)
    promotion: Promotion = field(repr=False)

    @classmethod
    def read(cls, path: Path, model: str) -> StackFile:
        """Read a file. Raises TuneError."""
        try:
            text = path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise TuneError(f"{path}: can't be read: {error}") from error
        config = _config(text, path.name)
        settings = _settings(config, model, path.name)
        promotion = _validated(Promotion, config.get("promotion", {}), path.name, "promotion.")
        return cls(path, model, text, settings, promotion)

    @property
    def stack(self) -> str:
        """The stack's name."""
        return self.path.name.removeprefix("Pulumi.").removesuffix(".yaml")

    def edited(self, changes: Mapping[tuple[str, ...], Any]) -> str:
        """The file's text with changes for the model; all other bytes stay the same.

        Raises TuneError if the file can't be edited that way.
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
        """The unified diff from the file to another text."""
        before, after = (each.splitlines(keepends=True) for each in (self.text, text))
        name = self.path.name
        return "".join(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"))

    def write(self, text: str) -> None:
        """Write the file. Raises TuneError if it has changed since it was read."""
        if self.path.read_bytes() != self.text.encode():
            raise TuneError(f"{self.path} has changed since the sweep began; nothing was written")
        self.path.write_bytes(text.encode())

    def _place(self, section: str) -> list[str]:
        """The place of a section: the model's if it has one or the stack has other models."""
        models = _config(self.text, self.path.name)["models"]
        if len(models) > 1 or section in models[self.model]:
            return [f"{PREFIX}models", self.model, section]
        return [f"{PREFIX}{section}"]


def _settings(config: Mapping[str, Any], model: str, name: str) -> ModelSettings:
    models = config.get("models")
    if not isinstance(models, dict) or not isinstance(models.get(model), dict):
        names = ", ".join(models) if isinstance(models, dict) else "none"
        raise TuneError(f"model {model}: not in {name}; it has {names}")
    shared = {key: value for key, value in config.items() if key in SECTIONS}
    return _validated(ModelSettings, merged(shared, models[model]), name)


def _validated(section: type[S], values: Any, name: str, prefix: str = "") -> S:
    try:
        return section.model_validate(values)
    except ValidationError as error:
        lines = [
            f"  {prefix}{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()
        ]
        raise TuneError("\n".join([f"invalid in {name}:", *lines])) from error


def _config(text: str, name: str) -> dict[str, Any]:
    """The project's own keys, without the prefix."""
    try:
        raw = (yaml.safe_load(text) or {}).get("config") or {}
        return {
            key.removeprefix(PREFIX): value for key, value in raw.items() if key.startswith(PREFIX)
        }
    except (yaml.YAMLError, AttributeError) as error:
        raise TuneError(f"{name}: not a stack's file: {error}") from error
