"""Text that wants out of its place, and documents that have it anywhere."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

# Never one of our own words.
EVIL = "EVIL"
_PIECES = (
    *("|", "\\", "\\|", "`", "``", "```", "~~~", "$", "$`", "_", "**", "#", "&", "<", ">", "\t"),
    *("\n", "\r", "\r\n", "\n\n", "\x0b", "\x85", "\u2028", "\x00", "\x1b[31m", "\u202e", "\ud800"),
    *("@octocat", "a@b.example", "#1", "GH-1", "deadbeef", "www.evil.example", ":smile:", "-->"),
    *("![x](https://evil.example/x.png)", "<img src=x>", "<!--", "</details>", "</code>"),
    *("&#64;octocat", "[secret]", "| --- |", "\n```\n", "\n| a | b |\n", "\n# x\n", "\n</details>"),
)
text = st.lists(
    st.one_of(st.just(EVIL), st.sampled_from(_PIECES), st.text(max_size=4)), max_size=8
).map("".join)
_scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
anything = st.one_of(_scalars, st.lists(text, max_size=2), st.dictionaries(text, text, max_size=2))

Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value that has no others in it."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield from leaves(each, (*path, key))
    elif path:
        yield path


def put(document: Any, path: Path, value: Any) -> Any:
    """A copy with something else in that place."""
    made = copy.deepcopy(document)
    place = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return made


def rename(document: Any, path: Path, name: str) -> Any:
    """A copy with another key in that place; nothing where it lies in a list."""
    made = copy.deepcopy(document)
    place = made
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, dict):
        place[name] = place.pop(path[-1])
    return made


@st.composite
def documents(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any]) -> Any:
    """The document with values, and a key, of somebody's choosing."""
    places = list(leaves(document))
    if not places:
        return document
    for path in draw(st.lists(st.sampled_from(places), max_size=6, unique=True)):
        document = put(document, path, draw(values))
    if draw(st.booleans()):
        document = rename(document, draw(st.sampled_from(places)), draw(text))
    return document
