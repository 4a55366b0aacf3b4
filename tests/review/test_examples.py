"""docs/review has the comments that the examples render to."""

from __future__ import annotations

import pytest

from tests.review.examples import DOCS, EXAMPLES, render


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_committed_comment_is_what_is_rendered(name: str) -> None:
    remedy = "write it again: .venv/bin/python -m tests.review.examples"
    assert (DOCS / f"{name}.md").read_text() == render(EXAMPLES[name]), remedy


def test_the_readme_lists_every_example_and_no_other() -> None:
    listed = (DOCS / "README.md").read_text()
    files = {each.name for each in DOCS.glob("*.md")} - {"README.md"}
    assert files == {f"{name}.md" for name in EXAMPLES}
    assert all(f"]({file})" in listed for file in files)
