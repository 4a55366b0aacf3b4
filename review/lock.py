"""The lock: which releases stacks may deploy, what is known of them, and those before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from review.reading import Document

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sizes and counts beyond this are no files and no pictures.
Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=0, le=1e12)]


class Tensor(Document):
    """An input or output, without the batch; -1 where a dimension varies."""

    name: str
    dtype: str
    dims: tuple[Annotated[int, Field(ge=-1, le=2**53)], ...]


class ModelFile(Document):
    """model.pt."""

    bytes: Count


class Proof(Document):
    """What a stack's load test said of a release; milliseconds, requests a second."""

    verdict: str
    p99_ms: Number | None = None
    achieved_rate: Number | None = None


class Entry(Document):
    """A release; `earlier` are those that were pinned before it, newest first."""

    digest: str
    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    torch: str | None = None
    model: ModelFile | None = None
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    labels: tuple[str, ...] = ()
    preprocessing: dict[str, Any] | None = None
    earlier: tuple[Entry, ...] = ()
    proven: dict[str, Proof] = Field(default_factory=dict)


class Lock(Document):
    """models.lock.json."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    models: dict[str, Entry]

    def releases(self, model: str) -> Iterator[Entry]:
        """The one pinned, then those before it."""
        if entry := self.models.get(model):
            yield entry
            yield from entry.earlier
