"""A comment is never too long, and lists what was left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from review.blocks import MAX_BYTES, NOTICE_BYTES, Block, Priority, join
from tests.review import github
from tests.review.examples import DIGITS, Example, render
from tests.review.locks import entry, lock
from tests.review.stacks import Setting, preview, short, stack

blocks = st.lists(
    st.builds(
        Block,
        st.text("aé𝄞", min_size=1, max_size=90),
        st.sampled_from([Priority.MODEL, Priority.CONFIG, Priority.RESOURCES]),
        st.sampled_from(["model tables", "config diffs"]),
    ),
    max_size=30,
)


@given(blocks, st.integers(NOTICE_BYTES + 20, 2000))
def test_it_is_never_longer_than_the_limit(some: list[Block], limit: int) -> None:
    assert len(join([Block("first"), *some], limit).encode()) <= limit


@given(blocks)
def test_blocks_that_fit_are_all_kept(some: list[Block]) -> None:
    assert join(some, 10**6) == "\n\n".join(block.text for block in some) + "\n"


@given(blocks, st.integers(NOTICE_BYTES + 20, 2000))
def test_the_least_important_blocks_are_left_out_first(some: list[Block], limit: int) -> None:
    numbered = [Block(f"{number}:{each.text}", each.priority) for number, each in enumerate(some)]
    kept = join(numbered, limit).rstrip("\n").split("\n\n")
    missing = [each.priority for each in numbered if each.text not in kept]
    present = [each.priority for each in numbered if each.text in kept]
    assert not missing or not present or max(present) <= min(missing)


def test_the_resource_diff_is_left_out_before_the_config_diffs() -> None:
    text = render(_example(60))
    assert "left out: the resource diff (1)." in text
    assert text.count("which is new here") == 60


def test_the_config_diffs_are_left_out_before_the_model_tables() -> None:
    text = render(_example(90))
    assert text.count("#### Model") == 90
    assert "config diffs (" in text


def test_a_comment_of_a_thousand_models_is_valid_markdown() -> None:
    text = render(_example(1000))
    github.read(text)
    assert MAX_BYTES * 0.9 < len(text.encode()) <= MAX_BYTES
    assert "model tables (" in text


def test_a_comment_of_a_thousand_long_errors_is_valid_markdown() -> None:
    errors = [{"severity": "error", "message": f"{number}𝄞" * 200} for number in range(1000)]
    deleted = preview(stack(*_models(200), retain=False), {}, *errors)
    text = render(Example(deleted))
    github.read(text)
    assert len(text.encode()) <= MAX_BYTES
    assert "more lines in the workflow's log" in text


def _models(count: int) -> list[Setting]:
    return [Setting(name=f"model-{each}", digest=short(str(each))) for each in range(count)]


def _example(count: int) -> Example:
    some = _models(count)
    pinned = lock(**{each.name: [entry(each.digest)] for each in some})
    return Example(preview({}, stack(DIGITS, *some[1:])), pinned)
