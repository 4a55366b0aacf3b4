"""Parts of the comment, and the limit of its length: the least important parts are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# GitHub refuses more than 65,536 characters; it has counted bytes too.
MAX_BYTES = 65_000
SEPARATOR = "\n\n"
# Reserved for the line that lists what was left out.
NOTICE_BYTES = 300


class Priority(IntEnum):
    """Blocks with the highest number are left out first; ALWAYS is never left out."""

    ALWAYS = 0
    MODEL = 1
    CONFIG = 2
    RESOURCES = 3


@dataclass(frozen=True)
class Block:
    """Complete Markdown: it ends each fence, table and tag that it begins.

    `name` stands in the list of what was left out.
    """

    text: str
    priority: Priority = Priority.ALWAYS
    name: str = ""


def join(blocks: Sequence[Block], limit: int = MAX_BYTES) -> str:
    """The blocks that fit into `limit` bytes, and a line that lists the others."""
    if len(_text(blocks, ()).encode()) <= limit:
        return _text(blocks, ())
    last_first = sorted(
        range(len(blocks)), key=lambda index: (blocks[index].priority, index), reverse=True
    )
    size = sum(len(block.text.encode()) + len(SEPARATOR) for block in blocks) + NOTICE_BYTES
    left_out = set()
    for index in last_first:
        if size <= limit or blocks[index].priority is Priority.ALWAYS:
            break
        left_out.add(index)
        size -= len(blocks[index].text.encode()) + len(SEPARATOR)
    kept = [block for index, block in enumerate(blocks) if index not in left_out]
    return _text(kept, [blocks[index] for index in left_out])


def _text(kept: Sequence[Block], left_out: Sequence[Block]) -> str:
    texts = [block.text for block in kept]
    if left_out:
        counts = Counter(block.name for block in left_out)
        names = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
        texts.append(f"Too long for a comment, so left out: {names}. It is in the workflow's log.")
    return SEPARATOR.join(texts) + "\n"
