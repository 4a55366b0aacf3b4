"""A comment that GitHub takes: blocks go, the least needed first, until it is short enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# GitHub refuses more than 65,536 characters; it has counted bytes too.
MAX_BYTES = 65_000
BETWEEN = "\n\n"
# Room for the line that says what was left out.
NOTICE_BYTES = 300


class Need(IntEnum):
    """How much a reviewer needs a block; the lowest goes last, and FIRST never."""

    FIRST = 0
    MODEL = 1
    CONFIG = 2
    RESOURCES = 3


@dataclass(frozen=True)
class Block:
    """Whole Markdown: no fence, table or tag of it ends in another; `what` names it if it goes."""

    text: str
    need: Need = Need.FIRST
    what: str = ""


def fit(blocks: Sequence[Block], limit: int = MAX_BYTES) -> str:
    """The blocks that fit, and a line that says what was left out."""
    if len(_join(blocks, ()).encode()) <= limit:
        return _join(blocks, ())
    order = sorted(range(len(blocks)), key=lambda at: (blocks[at].need, at), reverse=True)
    size = sum(len(block.text.encode()) + len(BETWEEN) for block in blocks) + NOTICE_BYTES
    gone = set()
    for at in order:
        if size <= limit or blocks[at].need is Need.FIRST:
            break
        gone.add(at)
        size -= len(blocks[at].text.encode()) + len(BETWEEN)
    kept = [block for at, block in enumerate(blocks) if at not in gone]
    return _join(kept, [blocks[at] for at in gone])


def _join(kept: Sequence[Block], gone: Sequence[Block]) -> str:
    texts = [block.text for block in kept]
    if gone:
        counts = Counter(block.what for block in gone)
        named = ", ".join(f"{what} ({count})" for what, count in sorted(counts.items()))
        texts.append(f"Too long for a comment, so left out: {named}. It is in the workflow's log.")
    return BETWEEN.join(texts) + "\n"
