"""What a plugin has to say about one resource type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.plugins.changes import Difference
    from local.plugins.engine import Engine

Values = dict[str, Any]


class PluginError(Exception):
    """An operation that could not be done, in words for the person at the terminal."""


class PartialError(PluginError):
    """The resource is there, but not as it should be; the engine records it all the same."""

    def __init__(
        self, identifier: str, outputs: Values, reasons: list[str], inputs: Values | None = None
    ) -> None:
        super().__init__("; ".join(reasons))
        self.id = identifier
        self.outputs = outputs
        self.reasons = reasons
        # As a read would give them.
        self.inputs = inputs or {}


@dataclass(frozen=True)
class Naming:
    """How a resource without a name of its own gets one."""

    resource: str
    seed: bytes = b""
    proposed: str = ""
    enforced: bool = False
    disabled: bool = False

    def automatic(self, digits: int) -> str:
        """A name with a random suffix, the same for the same seed; raises PluginError."""
        if self.disabled:
            raise PluginError("automatic naming is switched off: give this resource a name")
        if self.proposed:
            return self.proposed
        return f"{self.resource}-{self.seed.hex()[:digits]:0>{digits}}"


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
    """The circumstances of one call."""

    urn: str
    engine: Engine
    preview: bool = False
    timeout: float = 0.0
    cancelled: Event = field(default_factory=Event)

    def status(self, message: str) -> None:
        """Show what is being waited for."""
        self.engine.status(message, self.urn)


class Resource(ABC):
    """One resource type.

    Every method may raise PluginError, and `create`, `read` and `update` PartialError.
    `secret` names the outputs that are secret whatever the inputs were.
    """

    secret: tuple[str, ...] = ()

    @abstractmethod
    def check(self, inputs: Values, old_inputs: Values, naming: Naming) -> Checked:
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
    def delete(self, operation: Operation, state: State) -> None:
        """Remove it and come back when it is gone; what is gone already is no error."""
