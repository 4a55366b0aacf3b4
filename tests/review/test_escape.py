"""Whatever a text is, it stays inside its code."""

from __future__ import annotations

import html as html_module
import re

import pytest
from hypothesis import example, given

from review import escape
from tests.review import github, hostile

MARKER = escape.marker("prod")


@given(hostile.text)
def test_inline_code_leaves_nothing_outside_of_it(text: str) -> None:
    read = github.read(f"{MARKER}\n{escape.code(text)}\n")
    assert set("".join(read.words)) <= {"–"}


@given(hostile.text)
def test_inline_code_stays_in_its_cell(text: str) -> None:
    table = f"{MARKER}\n| a | b |\n| --- | --- |\n| {escape.code(text)} | x |\n"
    ((_, row),) = github.read(table).tables
    assert row[1] == "x"


@given(hostile.text)
@example("```")
@example(" ````")
def test_a_fence_holds_every_line(text: str) -> None:
    block = escape.fence([text, text], "diff")
    assert github.read(f"{MARKER}\n{block}\n").fences == [("diff", [escape.line(text)] * 2)]


@given(hostile.text)
def test_html_shows_the_text_as_it_is(text: str) -> None:
    inner = escape.html(text).removeprefix("<code>").removesuffix("</code>")
    shown = html_module.unescape(inner.replace("<!-- -->", ""))
    assert shown == escape.line(text, escape.CELL)


@given(hostile.text)
def test_a_line_is_one_line_that_can_be_written(text: str) -> None:
    shown = escape.line(text)
    assert len(shown.encode().decode().splitlines()) <= 1
    assert len(shown) <= escape.LINE


def test_ordinary_text_stays_readable() -> None:
    assert escape.code("gs://bucket/a_b-c: 1") == "`gs://bucket/a_b-c: 1`"


def test_an_address_is_parted_where_only_html_keeps_it() -> None:
    assert escape.html("a@b") == "<code>a&#64;<!-- -->b</code>"


def test_what_turns_text_around_is_shown() -> None:
    assert escape.code("abc\u202edef") == "`abc⟨202E⟩def`"


@pytest.mark.parametrize("stack", ["", "a b", "a-->b", "org/prod", "a\n"])
def test_a_marker_takes_names_of_stacks_only(stack: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(stack))):
        escape.marker(stack)
