"""What changes of each model: its release, how it is served, its config.pbtxt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from release.stacks import SERVED_MODEL
from review.preview import BUCKET_OBJECT, INFERENCE_SERVICE, Kind
from review.properties import asset_text
from review.serving import parse_served_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from release.lock import Entry, Lock
    from release.schema import Tensor
    from review.preview import Change, State
    from review.serving import ServedModel


# The stack whose load test is shown where the stack of the preview requires none.
DEFAULT_PROOF = "dev"


@dataclass(frozen=True)
class Side:
    """A model before or after. None: not in a lock, or not in the preview."""

    served: ServedModel
    entry: Entry | None
    canary_entry: Entry | None
    config: str | None


@dataclass(frozen=True)
class Model:
    """A model that changes.

    A side is None where the model isn't served, or where the preview doesn't describe it.
    """

    name: str
    kind: Kind
    old: Side | None
    new: Side | None
    recreated: bool
    """Whether its InferenceService is deleted and created again."""
    rollback: bool
    """Whether it moves to a release that is earlier in the base's lock."""
    unpinned: bool
    """Whether the branch's lock doesn't have its new release or its canary's."""

    @property
    def release_changes(self) -> bool:
        """Whether it moves to another release."""
        return bool(self.old and self.new and self.old.served.release != self.new.served.release)

    @property
    def proof(self) -> str:
        """The stack whose load test counts: promotion.requires, as the preview has it."""
        side = self.new or self.old
        return (side and side.served.requires) or DEFAULT_PROOF

    @property
    def inputs_incompatible(self) -> bool:
        """Whether requests that are valid now would be invalid."""
        if not (self.old and self.new and self.old.entry and self.new.entry):
            return False
        same_rank = self.old.entry.batching == self.new.entry.batching
        pairs = tensor_pairs(self, "inputs")
        return not (same_rank and all(accepts(new, old) for old, new in pairs))


def models(changes: Sequence[Change], lock: Lock, base: Lock) -> list[Model]:
    """Every model whose component or InferenceService changes, by name."""
    components = {each.name: each for each in changes if each.type == SERVED_MODEL}
    services = {
        each.name: each for each in changes if each.in_model and each.type == INFERENCE_SERVICE
    }
    configs = _configs(changes)
    return [
        _model(name, components.get(name), services.get(name), lock, base, configs)
        for name in sorted(components | services)
    ]


def accepts(new: Tensor | None, old: Tensor | None) -> bool:
    """Whether the new tensor takes every value of the old one: a dimension may become -1."""
    if new is None or old is None:
        return False
    same = (new.name, new.dtype, len(new.dims)) == (old.name, old.dtype, len(old.dims))
    return same and all(
        new_dim in (old_dim, -1) for new_dim, old_dim in zip(new.dims, old.dims, strict=True)
    )


def tensor_pairs(model: Model, which: str) -> list[tuple[Tensor | None, Tensor | None]]:
    """Old and new tensor by name; none unless the locks have both releases."""
    if not (model.old and model.new and model.old.entry and model.new.entry):
        return []
    old = {each.name: each for each in getattr(model.old.entry, which)}
    new = {each.name: each for each in getattr(model.new.entry, which)}
    return [(old.get(name), new.get(name)) for name in old | new]


def _model(
    name: str,
    component: Change | None,
    service: Change | None,
    lock: Lock,
    base: Lock,
    configs: Mapping[str, str],
) -> Model:
    pinned = {each.digest for each in lock.releases(name)}
    entries = {each.digest: each for each in (*base.releases(name), *lock.releases(name))}
    old = _side(name, component.old if component else None, entries, configs)
    new = _side(name, component.new if component else None, entries, configs)
    newest_first = [each.digest for each in base.releases(name)]
    # After a failed update the component may be complete while its InferenceService is missing.
    changed = component or service
    return Model(
        name=name,
        kind=changed.kind if changed else Kind.UPDATE,
        old=old,
        new=new,
        recreated=bool(service and service.kind is Kind.REPLACE),
        rollback=bool(old and new and _earlier(new, old, newest_first)),
        unpinned=bool(new and not _releases(new) <= pinned),
    )


def _side(
    name: str, state: State | None, entries: Mapping[str, Entry], configs: Mapping[str, str]
) -> Side | None:
    served = parse_served_model(state.inputs) if state else None
    if served is None:
        return None
    return Side(
        served=served,
        entry=entries.get(served.release),
        canary_entry=entries.get(served.canary.release) if served.canary else None,
        config=configs.get(f"models/{name}/{served.folder}/{name}/config.pbtxt"),
    )


def _releases(side: Side) -> set[str]:
    canary = side.served.canary
    return {side.served.release, *([canary.release] if canary else [])}


def _earlier(new: Side, old: Side, newest_first: Sequence[str]) -> bool:
    releases = (new.served.release, old.served.release)
    if not all(each in newest_first for each in releases):
        return False
    return newest_first.index(releases[0]) > newest_first.index(releases[1])


def _configs(changes: Sequence[Change]) -> dict[str, str]:
    """Text by name of the bucket's objects that change and whose content the preview has."""
    texts = {}
    for change in changes:
        for state in (change.old, change.new):
            if state and change.type == BUCKET_OBJECT:
                name, text = state.inputs.get("name"), asset_text(state.inputs.get("source"))
                if isinstance(name, str) and text is not None:
                    texts[name] = text
    return texts
