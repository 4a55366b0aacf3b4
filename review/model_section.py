"""A model's release and how it is served, old beside new."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from release.schema import short
from review.escape import code, fence, html
from review.fit import Block, Need
from review.markdown import bold, folded, table
from review.models import Model, Side, accepts, tensor_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from release.lock import Entry
    from release.schema import Tensor

# The stack whose load test counts as a release's proof.
PROOF = "dev"
# Comparing takes time with the square of the lines; no config.pbtxt is this long.
MOST_LINES = 2_000
NOTHING = "–"
_ROWS: tuple[tuple[str, Callable[[Side], str]], ...] = (
    ("release", lambda side: code(short(side.digest)) if side.digest else NOTHING),
    ("model.pt", lambda side: _of(side, _size)),
    ("accuracy", lambda side: _of(side, lambda entry: f"{entry.accuracy:.2%}")),
    ("torch", lambda side: _of(side, lambda entry: code(entry.torch))),
    ("Triton", lambda side: code(side.service.container or "")),
    ("device", lambda side: side.service.device),
    ("protocol", lambda side: side.service.protocol),
    ("transformer", lambda side: code(side.service.transformer or "")),
    ("placement", lambda side: side.service.placement),
    ("mode", lambda side: code(side.service.mode or "")),
    ("folder", lambda side: code(side.service.version or "")),
    (f"load test on {PROOF}", lambda side: _of(side, _proof)),
)
# Said only where they change.
_RARE: tuple[tuple[str, Callable[[Side], str]], ...] = (
    ("labels", lambda side: _of(side, lambda entry: code(", ".join(entry.labels)))),
    ("preprocessing", lambda side: _of(side, lambda entry: code(_json(entry), 200))),
)


def sections(model: Model) -> list[Block]:
    """The table of a model, its tensors where they change, and the diff of its config."""
    parts = [f"#### Model {code(model.name)}", *_remarks(model), _facts(model)]
    if tensors := _tensors(model):
        parts.append(tensors)
    made = [Block("\n\n".join(parts), Need.MODEL, "model tables")]
    if config := _config(model):
        made.append(Block(config, Need.CONFIG, "config diffs"))
    return made


def _remarks(model: Model) -> list[str]:
    made = []
    if model.inputs_break:
        made.append("**Incompatible inputs: clients that send tensors must change with it.**")
    if model.unpinned:
        made.append("**The preview deploys a release that this branch's lock does not pin.**")
    return made


def _facts(model: Model) -> str:
    sides = [side for side in (model.old, model.new) if side]
    if len(sides) < 2:
        head = ["", "new" if model.new else "until now"]
        rows = [[label, read(side)] for label, read in _ROWS for side in sides]
        return table(head, rows)
    rows = [[label, *(read(side) for side in sides)] for label, read in _ROWS]
    rare = [[label, *(read(side) for side in sides)] for label, read in _RARE]
    rows += [row for row in rare if row[1] != row[2]]
    return table(["", "old", "new", ""], [[*_row(row), _note(row, model)] for row in rows])


def _row(row: list[str]) -> list[str]:
    label, old, new = row
    return [label, old, bold(new, old != new)]


def _note(row: list[str], model: Model) -> str:
    label, old, new = row
    if label == "accuracy" and model.accuracy_change is not None and old != new:
        points = f"{model.accuracy_change * 100:+.2f} points".replace("-", "−")
        return f"🔻 **{points}, lower**" if model.accuracy_change < 0 else points
    if label.startswith("load test") and model.moves and not new.startswith("pass"):
        return f"⚠️ not proven on {PROOF}"
    if label == "release" and model.rollback:
        return "an earlier release"
    return ""


def _tensors(model: Model) -> str | None:
    rows = [row for which in ("inputs", "outputs") for row in _tensor_rows(model, which)]
    changed = any(
        old != new for which in ("inputs", "outputs") for old, new in tensor_pairs(model, which)
    )
    return table(["tensor", "old", "new", ""], rows) if changed else None


def _tensor_rows(model: Model, which: str) -> list[list[str]]:
    rows = []
    for old, new in tensor_pairs(model, which):
        name = next(each.name for each in (old, new) if each)
        note = ""
        if not accepts(new, old):
            note = "❌ **incompatible**" if which == "inputs" else "⚠️ changed"
        elif old != new:
            note = "takes more than before"
        rows.append(
            [f"{which[:-1]} {code(name)}", _tensor(old), bold(_tensor(new), bool(note)), note]
        )
    return rows


def _tensor(tensor: Tensor | None) -> str:
    if tensor is None:
        return NOTHING
    return code(f"{tensor.dtype} [{', '.join(str(dim) for dim in tensor.dims)}]")


def _config(model: Model) -> str | None:
    old, new = ((side.config if side else None) for side in (model.old, model.new))
    if new is None or old == new:
        return None
    before, after = (old or "").splitlines(), new.splitlines()
    if max(len(before), len(after)) > MOST_LINES:
        return f"`config.pbtxt` of {code(model.name)} is too long to compare."
    if old is None:
        whole = fence([f"+{each}" for each in after], "diff")
        return folded(f"config.pbtxt of {html(model.name)}, which is new here", whole)
    # Its first two lines would name files.
    difference = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return f"`config.pbtxt` of {code(model.name)}:\n\n{fence(difference, 'diff')}"


def _of(side: Side, read: Callable[[Entry], str]) -> str:
    return read(side.entry) if side.entry else "not in the lock"


def _size(entry: Entry) -> str:
    size = entry.model.bytes
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


def _json(entry: Entry) -> str:
    return json.dumps(asdict(entry.preprocessing), sort_keys=True, ensure_ascii=False)


def _proof(entry: Entry) -> str:
    proof = entry.proven.get(PROOF)
    if proof is None:
        return "none"
    verdict = proof.verdict if proof.verdict in ("pass", "fail") else code(proof.verdict)
    p99_ms = proof.objectives.get("p99Ms")
    return verdict if p99_ms is None else f"{verdict}, p99 objective {p99_ms:g} ms"
