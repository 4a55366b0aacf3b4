"""Markdown, and the escaping of values from previews and locks.

GitHub turns `@name`, `#1`, `GH-1`, commit hashes, `:emoji:` and addresses into links or images
after it has rendered the Markdown. No backslash or entity prevents that, but GitHub leaves code
alone, so every value from a preview or a lock is shown as code: `code`, `html_code` or `fence`.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Characters of a value in a table's cell and in a line of a fenced block.
CELL, LINE = 80, 200
# Pulumi's own rule for the names of stacks.
STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")
NOTHING = "–"
# Inside backticks these could end the code or the cell, or begin HTML or a formula.
_SPECIAL = re.compile(r"[`|\\<>&$]|^\s|\s$")
_BACKTICKS = re.compile(r"`+")
_NEWLINES = re.compile(r"\r\n|\r|\n")


def one_line(text: str, limit: int = LINE) -> str:
    """The text on one line, cut to `limit`; invisible characters as their code points."""
    line = "".join(_visible(each) for each in _NEWLINES.sub("⏎", text[: limit + 1]))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def code(text: str, limit: int = CELL) -> str:
    """Inline code, also for a table's cell."""
    line = one_line(text, limit)
    if not line.strip():
        return NOTHING
    return html_code(line, limit) if _SPECIAL.search(line) else f"`{line}`"


def html_code(text: str, limit: int = CELL) -> str:
    """Inline code for any text, and where GitHub reads no Markdown, such as in `<summary>`."""
    return f"<code>{''.join(_entity(each) for each in one_line(text, limit))}</code>"


def fence(lines: Iterable[str], language: str) -> str:
    """A fenced block, whose fence is longer than any in its lines. Lines are cut to LINE."""
    cut = [one_line(each) for each in lines]
    longest = max((len(run) for each in cut for run in _BACKTICKS.findall(each)), default=0)
    bar = "`" * max(3, longest + 1)
    return "\n".join([f"{bar}{language}", *cut, bar])


def marker(stack: str) -> str:
    """The first line, by which the workflow finds its comment. Raises ValueError: not a STACK."""
    if not STACK.fullmatch(stack):
        raise ValueError(f"no name of a stack: {stack!r}")
    return f"<!-- kserve-triton:review:{stack} -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def folded(summary: str, content: str) -> str:
    """Content that opens on a click. GitHub reads it as Markdown because of the empty lines."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 object`, `2 objects`."""
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def bold_if(condition: bool, text: str) -> str:
    """The text, bold if the condition holds."""
    return f"**{text}**" if condition else text


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "C" or category in {"Zl", "Zp"}:
        return f"⟨{ord(character):X}⟩"
    return character


def _entity(character: str) -> str:
    if character.isalnum() or character == " ":
        return character
    # GitHub looks for addresses before it looks for code; the comment splits them.
    return f"&#{ord(character)};" + ("<!-- -->" if character in "@:" else "")
