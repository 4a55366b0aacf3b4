"""What the plugin has to say about one resource type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.plugins.changes import Difference
    from local.plugins.engine import Engine

Values = dict[str, Any]


class PluginError(Exception):
    """An operation that could not be done, in words for the person at the terminal."""


@dataclass
class Checked:
    """Inputs with their defaults filled in, and what is wrong with them, by property."""

    inputs: Values
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """A resource as it is. `inputs`: as they would have to be for that; only a read tells."""

    id: str
    outputs: Values
    inputs: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """The circumstances of one call. `timeout` is in seconds; 0 is the type's own."""

    urn: str
    engine: Engine
    preview: bool = False
    timeout: float = 0.0


class Resource(ABC):
    """One resource type. Every method may raise PluginError.

    `secret` names the outputs that are secret whatever the inputs were.
    """

    secret: tuple[str, ...] = ()

    @abstractmethod
    def check(self, inputs: Values) -> Checked:
        """Validate and complete."""

    @abstractmethod
    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        """What an update would change."""

    @abstractmethod
    def create(self, operation: Operation, inputs: Values) -> State:
        """Make it; in a preview, only say what it would be."""

    @abstractmethod
    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        """What is there, None for nothing. Without inputs and outputs it is an import."""

    @abstractmethod
    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        """Change what is there from `state` to the inputs and give the outputs."""

    @abstractmethod
    def delete(self, state: State) -> None:
        """Remove it and come back when it is gone; what is gone already is no error."""
