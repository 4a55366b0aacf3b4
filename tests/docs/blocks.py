"""Code blocks of a page of the documentation, and the output that the page shows for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Block", "matches", "read"]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# Of the others, `py` and `yaml` are parts of files, and are shown only.
_RUN, _OUTPUT = ("sh", "python"), "text"


@dataclass(frozen=True)
class Block:
    """Commands of a shell, or a program in Python; `output` is in the block of text after it."""

    language: str
    code: str
    output: str | None = None


def read(page: Path) -> list[Block]:
    """The blocks that a reader runs, in their order. Raises ValueError for output without one."""
    found: list[Block] = []
    before = ""
    for language, code in _FENCE.findall(page.read_text()):
        if language in _RUN:
            found.append(Block(language, code))
        elif language == _OUTPUT:
            if before not in _RUN:
                raise ValueError(f"{page.name}: output of no block:\n{code}")
            found[-1] = Block(found[-1].language, found[-1].code, code)
        before = language
    return found


def matches(shown: str, output: str) -> bool:
    """Whether the lines of `shown` are in the output, in their order; … stands for anything."""
    lines = [re.escape(_collapse(line)).replace("…", ".*?") for line in shown.splitlines()]
    return re.search(".*".join(lines), _collapse(output), re.S) is not None


def _collapse(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
