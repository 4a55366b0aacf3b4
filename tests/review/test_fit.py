"""A comment is short enough, and says what is missing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from review.fit import MAX_BYTES, NOTICE_BYTES, Block, Need, fit
from tests.review import github
from tests.review.examples import DIGITS, Example, render
from tests.review.locks import entry, lock
from tests.review.stacks import Setting, preview, short, stack

blocks = st.lists(
    st.builds(
        Block,
        st.text("aé𝄞", min_size=1, max_size=90),
        st.sampled_from([Need.MODEL, Need.CONFIG, Need.RESOURCES]),
        st.sampled_from(["model tables", "config diffs"]),
    ),
    max_size=30,
)


@given(blocks, st.integers(NOTICE_BYTES + 20, 2000))
def test_it_never_is_longer_than_it_may_be(some: list[Block], limit: int) -> None:
    assert len(fit([Block("first"), *some], limit).encode()) <= limit


@given(blocks)
def test_what_fits_is_whole(some: list[Block]) -> None:
    assert fit(some, 10**6) == "\n\n".join(block.text for block in some) + "\n"


@given(blocks, st.integers(NOTICE_BYTES + 20, 2000))
def test_nothing_goes_while_something_less_needed_stays(some: list[Block], limit: int) -> None:
    numbered = [Block(f"{number}:{each.text}", each.need) for number, each in enumerate(some)]
    kept = fit(numbered, limit).rstrip("\n").split("\n\n")
    gone = [each.need for each in numbered if each.text not in kept]
    stays = [each.need for each in numbered if each.text in kept]
    assert not gone or not stays or max(stays) <= min(gone)


def test_the_resource_diff_goes_before_the_config_diffs() -> None:
    text = render(_example(60))
    assert "left out: the resource diff (1)." in text
    assert text.count("which is new here") == 60


def test_the_config_diffs_go_before_the_model_tables() -> None:
    text = render(_example(90))
    assert text.count("#### Model") == 90
    assert "config diffs (" in text


def test_a_thousand_models_make_a_comment_that_is_whole() -> None:
    text = render(_example(1000))
    github.read(text)
    assert MAX_BYTES * 0.9 < len(text.encode()) <= MAX_BYTES
    assert "model tables (" in text


def test_a_thousand_long_errors_make_a_comment_that_is_whole() -> None:
    said = [{"severity": "error", "message": f"{number}𝄞" * 200} for number in range(1000)]
    deleted = preview(stack(*_models(200), retain=False), {}, *said)
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
