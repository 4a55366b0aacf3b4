"""What becomes of each model: its release, how it is served, its config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from review.preview import BUCKET_OBJECT, CONFIG_MAP, INFERENCE_SERVICE, Kind
from review.properties import asset_text
from review.reading import text
from review.serving import Service, read_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from release.lock import Entry, Lock
    from release.schema import Tensor
    from review.preview import Change, State


@dataclass(frozen=True)
class Side:
    """A model before or after: how it is served, and of which release, as far as locks know it."""

    service: Service
    digest: str | None
    entry: Entry | None
    config: str | None


@dataclass(frozen=True)
class Model:
    """One that changes, and how it is called."""

    name: str
    kind: Kind
    old: Side | None
    new: Side | None
    rollback: bool
    unpinned: bool

    @property
    def moves(self) -> bool:
        """To another release."""
        return bool(self.old and self.new and not same_release(self.old.digest, self.new.digest))

    @property
    def accuracy_change(self) -> float | None:
        """As a share of 1; None where a lock does not tell."""
        old, new = self._accuracies()
        return None if old is None or new is None else new - old

    @property
    def inputs_break(self) -> bool:
        """Requests that were right before would be wrong."""
        pairs = tensor_pairs(self, "inputs")
        return any(not accepts(new, old) for old, new in pairs)

    def _accuracies(self) -> tuple[float | None, float | None]:
        found = [side.entry.accuracy if side and side.entry else None for side in self._sides()]
        return found[0], found[1]

    def _sides(self) -> tuple[Side | None, Side | None]:
        return self.old, self.new


def models(changes: Sequence[Change], lock: Lock, base: Lock) -> list[Model]:
    """Every model whose InferenceService changes, by name."""
    found = [
        _model(each, changes, lock, base) for each in changes if each.type == INFERENCE_SERVICE
    ]
    return sorted(found, key=lambda model: (model.name, model.kind))


def accepts(new: Tensor | None, old: Tensor | None) -> bool:
    """Whether what fits the old tensor fits the new one: the same, or freer in a dimension."""
    if new is None or old is None:
        return False
    same = (new.name, new.dtype, len(new.dims)) == (old.name, old.dtype, len(old.dims))
    return same and all(to in (dim, -1) for to, dim in zip(new.dims, old.dims, strict=True))


def tensor_pairs(model: Model, which: str) -> list[tuple[Tensor | None, Tensor | None]]:
    """Old and new by name, in their order, if both are known."""
    if not (model.old and model.new and model.old.entry and model.new.entry):
        return []
    old = {each.name: each for each in getattr(model.old.entry, which)}
    new = {each.name: each for each in getattr(model.new.entry, which)}
    return [(old.get(name), new.get(name)) for name in old | new]


def same_release(one: str | None, other: str | None) -> bool:
    """Whether two digests, either of them perhaps cut short, or unknown, are of one release."""
    if one is None or other is None:
        return one is other
    return one.startswith(other) or other.startswith(one)


def service_name(change: Change) -> str:
    """Of the InferenceService, which is the model's."""
    found = change.new_input("metadata", "name") or change.old_input("metadata", "name")
    return text(found) or change.name


def _model(change: Change, changes: Sequence[Change], lock: Lock, base: Lock) -> Model:
    name = service_name(change)
    known = [*lock.releases(name), *base.releases(name)]
    pinned_before = base.current(name)
    old = _side(name, change.old, _named(changes, name, old=True), known, pinned_before, changes)
    pinned = lock.current(name)
    new = _side(name, change.new, _named(changes, name, old=False), known, pinned, changes)
    earlier = base.releases(name)[1:]
    moved = bool(old and new and not same_release(old.digest, new.digest))
    return Model(
        name=name,
        kind=change.kind,
        old=old,
        new=new,
        rollback=bool(
            moved and new and any(same_release(new.digest, each.digest) for each in earlier)
        ),
        unpinned=bool(new and not same_release(new.digest, pinned.digest if pinned else None)),
    )


def _side(
    name: str,
    state: State | None,
    named: str | None,
    known: Sequence[Entry],
    pinned: Entry | None,
    changes: Sequence[Change],
) -> Side | None:
    if state is None:
        return None
    service = read_service(name, state.inputs)
    # What the stack says that it serves counts more than what a lock pins.
    digest = service.release or named or (pinned.digest if pinned else None)
    entry = next((each for each in known if digest and same_release(each.digest, digest)), None)
    return Side(service, digest, entry, _config(name, service.version, changes))


def _named(changes: Sequence[Change], model: str, old: bool) -> str | None:
    """The digest in the name of a release's ConfigMap that goes, or comes."""
    prefix = f"release-{model}-"
    kind = Kind.DELETE if old else Kind.CREATE
    for each in changes:
        if each.type == CONFIG_MAP and each.kind is kind and each.name.startswith(prefix):
            return each.name.removeprefix(prefix)
    return None


def _config(name: str, version: str | None, changes: Sequence[Change]) -> str | None:
    """config.pbtxt of a version, from the bucket's object that comes or goes with it."""
    path = f"models/{name}/{version}/{name}/config.pbtxt"
    for each in changes:
        if each.type == BUCKET_OBJECT:
            for state in (each.new, each.old):
                if state and state.inputs.get("name") == path:
                    return asset_text(state.inputs.get("source"))
    return None
