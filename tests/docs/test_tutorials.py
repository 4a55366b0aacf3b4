"""Tutorials can be run: tests/local/docs runs them on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import blocks

FOLDER = Path(__file__).parents[2] / "docs" / "tutorials"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_in_the_list_and_has_commands_with_their_output(page: Path) -> None:
    assert f"({page.name})" in (FOLDER / "README.md").read_text()
    found = blocks.read(page)
    assert any(block.output for block in found)
    for block in found:
        if block.language == "python":
            compile(block.code, page.name, "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_removes_what_it_has_deployed(page: Path) -> None:
    lines = [line for block in blocks.read(page) for line in block.code.splitlines()]
    deployed = {
        line.split("models.")[1].split(".")[0].split()[0] for line in lines if "config set" in line
    }
    removed = {line.split("models.")[1].split(".")[0] for line in lines if "config rm" in line}
    assert deployed == removed


def test_shown_output_is_compared_by_lines_in_their_order() -> None:
    output = "a\n  b   0.9375\nc\n"
    assert blocks.matches("a\nb 0.9…\n", output)
    assert not blocks.matches("b 0.9…\na\n", output)
    assert not blocks.matches("b 0.8…\n", output)


def test_output_without_a_program_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```py\nx = 1\n```\n```text\n1\n```\n")
    with pytest.raises(ValueError, match=r"page\.md: output of no block"):
        blocks.read(page)
