"""Reads the comment's Markdown as GitHub does, and refuses what the comment does not use.

Follows the CommonMark and GFM specifications: fenced code, HTML blocks, code spans, tables. The
text outside of code must consist of characters that the comment itself uses, so that no value of a
preview can be a link, a mention, an image, a tag or a part of a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
_SUMMARY = re.compile(r"<details><summary>(.*)</summary>$")
_HTML_CODE = re.compile(r"<code>(?:[^\W_]| |&#\d+;|<!-- -->)*</code>")
_MARKER = re.compile(r"<!-- kserve-triton:review:[A-Za-z0-9_.-]+ -->$")
_ALLOWED = re.compile(r"[A-Za-z0-9 .,;:%+?/'()*×−–→🔻❌⚠️️]*")
_LINKING = ("www.", "http", "GH-", "@", "://")


class InvalidCommentError(AssertionError):
    """A value is outside of code, or a block has no end."""


@dataclass
class Comment:
    """The comment's parts; `words` is the text outside of code."""

    words: list[str] = field(default_factory=list)
    fences: list[tuple[str, list[str]]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)

    @property
    def red(self) -> list[str]:
        """Lines that GitHub shows in red."""
        return [
            line
            for language, lines in self.fences
            if language == "diff"
            for line in lines
            if line.startswith("-")
        ]


def read(text: str) -> Comment:
    """Raises InvalidCommentError."""
    # CommonMark: a line ends with a line feed, a carriage return, or both.
    lines = re.split(r"\r\n|\n|\r", text)
    if not _MARKER.match(lines[0]):
        raise InvalidCommentError(f"no marker: {lines[0]!r}")
    found, open_details, at = Comment(), 0, 1
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            at = _read_fence(lines, at, fence, found)
        elif summary := _SUMMARY.match(line):
            open_details += 1
            found.words.append(_words(summary[1], markdown=False))
            _expect(lines[at + 1] == "", "Markdown begins after an empty line")
        elif line == "</details>":
            open_details -= 1
            _expect(open_details >= 0 and lines[at - 1] == "", "</details> without a beginning")
        elif line.startswith("|"):
            at = _read_table(lines, at, found)
            continue
        else:
            found.words.append(_words(re.sub(r"^#{3,4} ", "", line)))
        at += 1
    _expect(open_details == 0, "<details> without an end")
    return found


def _expect(condition: bool, what: str) -> None:
    if not condition:
        raise InvalidCommentError(what)


def _read_fence(lines: list[str], at: int, fence: re.Match[str], found: Comment) -> int:
    bar, language = fence.groups()
    closing = re.compile(rf" {{0,3}}{bar[0]}{{{len(bar)},}}[ \t]*$")
    for end in range(at + 1, len(lines)):
        if closing.match(lines[end]):
            found.fences.append((language, lines[at + 1 : end]))
            return end
    raise InvalidCommentError("a fence without an end")


def _read_table(lines: list[str], at: int, found: Comment) -> int:
    rows = []
    while at < len(lines) and lines[at].startswith("|"):
        # GFM: a pipe parts cells even inside code, unless a backslash is before it.
        cells = re.split(r"(?<!\\)\|", lines[at])[1:-1]
        rows.append([cell.strip() for cell in cells])
        at += 1
    _expect(len({len(row) for row in rows}) == 1, f"rows of different lengths: {rows}")
    _expect(all(set(cell) == set("-") for cell in rows[1]), "no line under the head")
    found.words.extend(_words(cell) for row in (rows[0], *rows[2:]) for cell in row)
    found.tables.append([rows[0], *rows[2:]])
    return at


def _words(text: str, markdown: bool = True) -> str:
    """The text without its code. Raises InvalidCommentError if a value is left."""
    left, at = "", 0
    while at < len(text):
        if html := _HTML_CODE.match(text, at):
            at = html.end()
        elif markdown and (run := re.compile(r"`+").match(text, at)):
            closing = re.search(rf"(?<!`){run[0]}(?!`)", text[run.end() :])
            _expect(closing is not None, f"a code span without an end: {text!r}")
            assert closing is not None
            at = run.end() + closing.end()
        else:
            left += text[at]
            at += 1
    _expect(bool(_ALLOWED.fullmatch(left)), f"not the comment's own words: {left!r}")
    _expect(not any(each in left for each in _LINKING), f"GitHub makes a link of it: {left!r}")
    _expect(left.count("*") % 4 == 0, f"bold without an end: {left!r}")
    return left
