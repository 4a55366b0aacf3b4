"""docs/previews.md has the figures of measure/bench/results.json."""

from __future__ import annotations

from measure.bench import preview, results


def test_the_page_in_docs_is_the_one_of_the_results() -> None:
    found = results.read()["preview"]
    text = preview.PAGE.read_text()
    again = "stale; make it anew: .venv-local/bin/python -m measure.bench.preview --render"
    assert preview.page(found, text) == text, again
    assert preview.PICTURE.read_text() == preview.picture(found), again


def test_other_figures_take_the_place_of_those_before() -> None:
    found = results.read()["preview"]
    text = f"before\n{preview.BEGIN}old\n{preview.END}after\n"
    made = preview.page(found, text)
    assert made.startswith("before\n") and made.endswith("after\n")
    assert "old" not in made
    assert "50 models" in made
