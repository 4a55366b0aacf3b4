"""A model's release and how it is served, old beside new."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from release.lock import PASS
from release.schema import short
from review.blocks import Block, Priority
from review.markdown import NOTHING, bold_if, code, fence, folded, html_code, plural, table
from review.models import Model, Side, accepts, tensor_pairs
from review.release_rows import changed_rows, metric, metric_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from release.lock import Entry
    from release.schema import Tensor

# The time to compare grows with the square of the lines; no config.pbtxt is this long.
MAX_LINES = 2_000
_ROWS: tuple[tuple[str, Callable[[Side], str]], ...] = (
    ("release", lambda side: code(short(side.served.release))),
    ("canary", lambda side: _canary(side)),
    ("format", lambda side: _locked(side, lambda entry: entry.format)),
    ("model", lambda side: _locked(side, _size)),
    ("torch", lambda side: _locked(side, lambda entry: code(entry.torch))),
    ("Triton", lambda side: code(side.served.container)),
    ("device", lambda side: side.served.switches["device"]),
    ("protocol", lambda side: side.served.switches["protocol"]),
    ("transformer", lambda side: code(side.served.transformer_image or "")),
    ("placement", lambda side: side.served.switches["placement"]),
    ("mode", lambda side: side.served.mode),
    ("folder", lambda side: code(side.served.folder)),
    ("handler", lambda side: _locked(side, _handler)),
)


def sections(model: Model) -> list[Block]:
    """The model's table, its tensors where they change, and the diff of its config.pbtxt."""
    sides = [side for side in (model.old, model.new) if side]
    if not sides:
        return []
    parts = [f"#### Model {code(model.name)}", *_warnings(model), _settings(model, sides)]
    if tensors := _tensors(model):
        parts.append(tensors)
    blocks = [Block("\n\n".join(parts), Priority.MODEL, "model tables")]
    if config := _config(model):
        blocks.append(Block(config, Priority.CONFIG, "config diffs"))
    return blocks


def _warnings(model: Model) -> list[str]:
    warnings = []
    if model.inputs_incompatible:
        warnings.append("**Incompatible inputs: clients that send tensors must change too.**")
    if model.unpinned:
        warnings.append("**The preview deploys a release that this branch's lock does not have.**")
    return warnings


def _settings(model: Model, sides: list[Side]) -> str:
    rows = [[label, *(read(side) for side in sides)] for label, read in _ROWS]
    rows += [_load_test(sides, model.proof), *_metrics(sides)]
    rows = [row for row in rows if set(row[1:]) != {NOTHING}]
    if len(sides) == 1:
        return table(["", "new" if model.new else "old"], rows)
    noted = [(label, old, new, _note(model, label, old, new)) for label, old, new in rows]
    if entries := _entries(model):
        noted += changed_rows(*entries)
    return table(
        ["", "old", "new", ""],
        [[label, old, bold_if(old != new, new), note] for label, old, new, note in noted],
    )


def _load_test(sides: list[Side], stack: str) -> list[str]:
    verdicts = (_locked(side, lambda entry: _verdict(entry, stack)) for side in sides)
    return [f"load test on {code(stack)}", *verdicts]


def _metrics(sides: list[Side]) -> list[list[str]]:
    names = dict.fromkeys(name for side in sides if side.entry for name in side.entry.metrics)
    return [[code(name), *(_metric(side, name) for side in sides)] for name in names]


def _metric(side: Side, name: str) -> str:
    return _locked(side, lambda entry: metric(entry, name))


def _entries(model: Model) -> tuple[Entry, Entry] | None:
    """Old and new release; None unless the locks have both."""
    old, new = (side and side.entry for side in (model.old, model.new))
    return (old, new) if old and new else None


def _note(model: Model, label: str, old: str, new: str) -> str:
    if label.startswith("load test") and model.release_changes and not new.startswith("pass"):
        return _unproven(model)
    if label == "canary" and new != NOTHING and old != new:
        return _canary_note(model)
    if label == "release" and model.rollback:
        return "an earlier release"
    entries = _entries(model)
    if entries is None:
        return ""
    if label == "handler" and entries[0].handler != entries[1].handler:
        return "V1 requests and predictions may change"
    names = (name for name in entries[0].metrics if code(name) == label)
    return next((metric_note(*entries, name) for name in names), "")


def _canary(side: Side) -> str:
    canary = side.served.canary
    if canary is None:
        return NOTHING
    entry = side.canary_entry
    metrics = [f", {code(name)} {metric(entry, name)}" for name in entry.metrics] if entry else []
    return f"{code(short(canary.release))} with {canary.traffic_percent}%{''.join(metrics)}"


def _canary_note(model: Model) -> str:
    entry = model.new.canary_entry if model.new else None
    passed = entry is not None and entry.verdict(model.proof) == PASS
    return "" if passed else _unproven(model)


def _unproven(model: Model) -> str:
    return f"⚠️ not proven on {code(model.proof)}"


def _tensors(model: Model) -> str | None:
    pairs = [
        (which, old, new)
        for which in ("inputs", "outputs")
        for old, new in tensor_pairs(model, which)
    ]
    if all(old == new for _, old, new in pairs):
        return None
    return table(["tensor", "old", "new", ""], [_tensor_row(*pair) for pair in pairs])


def _tensor_row(which: str, old: Tensor | None, new: Tensor | None) -> list[str]:
    name = next(each.name for each in (old, new) if each)
    note = ""
    if not accepts(new, old):
        note = "❌ **incompatible**" if which == "inputs" else "⚠️ changed"
    elif old != new:
        note = "takes more than before"
    label = f"{which.removesuffix('s')} {code(name)}"
    return [label, _tensor(old), bold_if(bool(note), _tensor(new)), note]


def _tensor(tensor: Tensor | None) -> str:
    if tensor is None:
        return NOTHING
    return code(f"{tensor.dtype} [{', '.join(str(dim) for dim in tensor.dims)}]")


def _config(model: Model) -> str | None:
    old, new = ((side.config if side else None) for side in (model.old, model.new))
    if new is None or old == new:
        return None
    before, after = (old or "").splitlines(), new.splitlines()
    if max(len(before), len(after)) > MAX_LINES:
        return f"`config.pbtxt` of {code(model.name)} is too long to compare."
    if old is None:
        whole = fence([f"+{each}" for each in after], "diff")
        return folded(f"config.pbtxt of {html_code(model.name)}, which is new here", whole)
    # Its first two lines would name files.
    difference = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return f"`config.pbtxt` of {code(model.name)}:\n\n{fence(difference, 'diff')}"


def _locked(side: Side, read: Callable[[Entry], str]) -> str:
    """A cell from the release's entry in the lock."""
    return read(side.entry) if side.entry else "not in the lock"


def _size(entry: Entry) -> str:
    size = entry.model.bytes
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _handler(entry: Entry) -> str:
    return plural(len(entry.handler.files), "file") if entry.handler else NOTHING


def _verdict(entry: Entry, stack: str) -> str:
    proof = entry.proven.get(stack)
    if proof is None:
        return "none"
    verdict = proof.verdict if proof.verdict in ("pass", "fail") else code(proof.verdict)
    p99_ms = proof.objectives.get("p99Ms")
    return verdict if p99_ms is None else f"{verdict}, p99 objective {p99_ms:g} ms"
