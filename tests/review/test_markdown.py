"""Any text stays inside its code."""

from __future__ import annotations

import html as html_module
import re

import pytest
from hypothesis import example, given

from review import markdown
from tests.review import github, hostile

MARKER = markdown.marker("prod")


@given(hostile.text)
def test_inline_code_leaves_nothing_outside_of_it(text: str) -> None:
    read = github.read(f"{MARKER}\n{markdown.code(text)}\n")
    assert set("".join(read.words)) <= {"–"}


@given(hostile.text)
def test_inline_code_stays_in_its_cell(text: str) -> None:
    table = f"{MARKER}\n| a | b |\n| --- | --- |\n| {markdown.code(text)} | x |\n"
    ((_, row),) = github.read(table).tables
    assert row[1] == "x"


@given(hostile.text)
@example("```")
@example(" ````")
def test_a_fence_holds_every_line(text: str) -> None:
    block = markdown.fence([text, text], "diff")
    assert github.read(f"{MARKER}\n{block}\n").fences == [("diff", [markdown.one_line(text)] * 2)]


@given(hostile.text)
def test_html_code_shows_the_text(text: str) -> None:
    inner = markdown.html_code(text).removeprefix("<code>").removesuffix("</code>")
    shown = html_module.unescape(inner.replace("<!-- -->", ""))
    assert shown == markdown.one_line(text, markdown.CELL)


@given(hostile.text)
def test_a_line_is_one_line_that_can_be_written(text: str) -> None:
    shown = markdown.one_line(text)
    assert len(shown.encode().decode().splitlines()) <= 1
    assert len(shown) <= markdown.LINE


def test_ordinary_text_stays_readable() -> None:
    assert markdown.code("gs://bucket/a_b-c: 1") == "`gs://bucket/a_b-c: 1`"


def test_html_code_splits_an_address() -> None:
    assert markdown.html_code("a@b") == "<code>a&#64;<!-- -->b</code>"


def test_a_character_that_reverses_text_is_shown_by_its_code_point() -> None:
    assert markdown.code("abc\u202edef") == "`abc⟨202E⟩def`"


@pytest.mark.parametrize("stack", ["", "a b", "a-->b", "org/prod", "a\n"])
def test_a_marker_takes_names_of_stacks_only(stack: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(stack))):
        markdown.marker(stack)
