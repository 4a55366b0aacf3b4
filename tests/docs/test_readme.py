"""What README quotes is what the project makes."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_quoted_comment_is_the_example_made_by_the_review() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    quoted = [line.removeprefix("> ") for line in lines if line.startswith("> ")]
    # Without the table's head, which in the example has a column more.
    rows = [line for line in quoted if line.startswith("| ")][2:]
    example = (ROOT / "docs" / "review" / "cpu-to-gpu.md").read_text()
    assert quoted[0] in example
    assert len(rows) == 4
    for row in rows:
        assert row in example
