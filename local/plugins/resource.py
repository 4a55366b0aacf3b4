"""The interface of a resource type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.plugins.changes import Difference
    from local.plugins.engine import Engine

Values = dict[str, Any]


class PluginError(Exception):
    """An operation failed; the message is for the person at the terminal."""


@dataclass
class Checked:
    """Inputs with their defaults, and failures by property."""

    inputs: Values
    failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """The state of a resource. Only a read sets `inputs`: those that correspond to the outputs."""

    id: str
    outputs: Values
    inputs: Values = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """One call. `timeout` is in seconds; 0 is the type's default."""

    urn: str
    engine: Engine
    preview: bool = False
    timeout: float = 0.0


class Resource(ABC):
    """One resource type. Every method may raise PluginError.

    `secret` names the outputs that are always secret.
    """

    secret: tuple[str, ...] = ()

    @abstractmethod
    def check(self, inputs: Values) -> Checked:
        """Validate inputs and add defaults."""

    @abstractmethod
    def diff(self, old_inputs: Values, old_outputs: Values, inputs: Values) -> Difference:
        """The changes of an update."""

    @abstractmethod
    def create(self, operation: Operation, inputs: Values) -> State:
        """Create it; in a preview, only return its expected state."""

    @abstractmethod
    def read(self, identifier: str, inputs: Values, outputs: Values) -> State | None:
        """The live state; None if it doesn't exist. An import has no inputs and outputs."""

    @abstractmethod
    def update(self, operation: Operation, state: State, inputs: Values) -> Values:
        """Change it from `state` to the inputs. Returns the outputs."""

    @abstractmethod
    def delete(self, state: State) -> None:
        """Delete it, and wait until it is deleted. If it doesn't exist, that is no error."""
