"""Text of others in Markdown: shown as it is, and never as Markdown.

GitHub turns `@name`, `#1`, `GH-1`, hashes of commits, `:emoji:` and addresses into links or images
after Markdown is rendered, so no backslash or entity keeps it from that; it leaves code alone.
Every value from a preview or a lock therefore ends in one of the forms below, all of them code.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CELL, LINE = 80, 200
# Pulumi's own rule for the names of stacks.
STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")
# Inside backticks these could end the code, the cell of a table, or begin HTML or a formula.
_SPECIAL = re.compile(r"[`|\\<>&$]|^\s|\s$")
_BACKTICKS = re.compile(r"`+")
_NEWLINES = re.compile(r"\r\n|\r|\n")


def line(text: str, limit: int = LINE) -> str:
    """One line: what can't be seen, or turns around what follows, is shown by its code point."""
    shown = "".join(_seen(sign) for sign in _NEWLINES.sub("⏎", text[: limit + 1]))
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def code(text: str, limit: int = CELL) -> str:
    """Inline code, also in a table's cell."""
    shown = line(text, limit)
    if not shown.strip():
        return "–"
    return html(shown, limit) if _SPECIAL.search(shown) else f"`{shown}`"


def html(text: str, limit: int = CELL) -> str:
    """The same where Markdown is not read, such as in a `<summary>`, and for any text at all."""
    return f"<code>{''.join(_entity(sign) for sign in line(text, limit))}</code>"


def fence(lines: Iterable[str], language: str) -> str:
    """A fenced block; its fence is longer than any that the lines hold. Lines are cut to LINE."""
    shown = [line(each) for each in lines]
    longest = max((len(run) for each in shown for run in _BACKTICKS.findall(each)), default=0)
    bar = "`" * max(3, longest + 1)
    return "\n".join([f"{bar}{language}", *shown, bar])


def marker(stack: str) -> str:
    """By which the workflow finds its comment again; takes names that match STACK."""
    if not STACK.fullmatch(stack):
        raise ValueError(f"no name of a stack: {stack!r}")
    return f"<!-- kserve-triton:review:{stack} -->"


def _seen(sign: str) -> str:
    if unicodedata.category(sign)[0] == "C" or unicodedata.category(sign) in {"Zl", "Zp"}:
        return f"⟨{ord(sign):X}⟩"
    return sign


def _entity(sign: str) -> str:
    if sign.isalnum() or sign == " ":
        return sign
    # The comment parts the text, for what looks for addresses before it looks for code.
    return f"&#{ord(sign)};" + ("<!-- -->" if sign in "@:" else "")
