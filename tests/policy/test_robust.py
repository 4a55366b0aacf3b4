"""A rule that raises would fail a deployment without a word on why: none ever does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy.resources import KEPT, Properties, broken

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every property below a value."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [
            way for key, each in items for way in [(*before, key), *paths(each, (*before, key))]
        ]
    return []


def replaced(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    """A copy with something else at the end of a way."""
    if not way:
        return new
    made = value.copy()
    made[way[0]] = replaced(value[way[0]], way[1:], new)
    return made


@st.composite
def disturbed(draw: st.DrawFn) -> tuple[str, Properties]:
    """A resource that keeps every rule, with junk in one place."""
    token = draw(st.sampled_from(sorted(KEPT)))
    way = draw(st.sampled_from(paths(KEPT[token])))
    return token, replaced(KEPT[token], way, draw(JUNK))


@given(disturbed())
@settings(max_examples=300)
def test_junk_in_any_property_raises_nothing(resource: tuple[str, Properties]) -> None:
    broken(*resource)


@given(
    st.sampled_from(sorted(KEPT)),
    st.dictionaries(st.sampled_from(["spec", "rules", "member", "members", "policyData"]), JUNK),
)
def test_properties_of_any_shape_raise_nothing(token: str, properties: Properties) -> None:
    broken(token, properties)


def test_what_is_undisturbed_breaks_nothing() -> None:
    """Else the tests above could not tell a rule that looks from one that doesn't."""
    assert [broken(token, properties) for token, properties in KEPT.items()] == [{}] * len(KEPT)
