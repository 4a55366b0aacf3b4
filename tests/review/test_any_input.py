"""For any preview and locks the comment is valid Markdown, within its limit, and escaped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from release.schema import ReleaseError
from review.blocks import MAX_BYTES
from tests.review import github, hostile
from tests.review.examples import EXAMPLES, Example, render

if TYPE_CHECKING:
    import random

slow = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
example_names = st.sampled_from(sorted(EXAMPLES))


@st.composite
def examples(draw: st.DrawFn, values: st.SearchStrategy[Any], where: type) -> Example:
    """One of the examples, changed in all three of its documents."""
    chosen = EXAMPLES[draw(example_names)]
    documents = (chosen.preview, chosen.lock, chosen.base)
    return Example(*(draw(hostile.documents(each, values, where)) for each in documents))


@slow
@given(examples(hostile.text, str))
def test_values_never_leave_their_code(example: Example) -> None:
    read = github.read(render(example))
    assert not [words for words in read.words if hostile.EVIL in words]


@slow
@given(examples(hostile.anything, object))
def test_a_document_of_any_shape_is_refused_or_rendered(example: Example) -> None:
    try:
        text = render(example)
    except (ValidationError, ReleaseError):
        return
    assert len(text.encode()) <= MAX_BYTES


@slow
@given(example_names, st.randoms(use_true_random=False))
def test_the_order_of_keys_and_steps_does_not_matter(name: str, chance: random.Random) -> None:
    example = EXAMPLES[name]
    shuffled = Example(*(_shuffled(each, chance) for each in _documents(example)))
    chance.shuffle(shuffled.preview.get("steps", []))
    assert render(shuffled) == render(example)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid_markdown(name: str) -> None:
    github.read(render(EXAMPLES[name]))


def _documents(example: Example) -> tuple[dict[str, Any], ...]:
    return example.preview, example.lock, example.base


def _shuffled(document: Any, chance: random.Random) -> Any:
    def shuffle(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        chance.shuffle(pairs)
        return dict(pairs)

    return json.loads(json.dumps(document), object_pairs_hook=shuffle)
