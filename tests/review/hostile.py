"""Text that could break Markdown, and documents that contain it."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

# A word that the comment itself never uses.
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


# Objects with arbitrary keys.
_ARBITRARY = {
    *("detailedDiff", "models", "objectives", "proven"),
    *("metrics", "provenance", "files", "parameters"),
}


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside another, with its path."""
    if isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key), each
            yield from places(each, (*path, key))


@st.composite
def documents(draw: st.DrawFn, document: Any, values: st.SearchStrategy[Any], where: type) -> Any:
    """The document with some values of type `where` and one arbitrary key replaced."""
    document = copy.deepcopy(document)
    leaves = [
        path
        for path, value in places(document)
        if isinstance(value, where)
        and not isinstance(value, dict | list)
        # A lock with another format is refused.
        and not (where is str and path[-1] == "format")
    ]
    some = st.lists(st.sampled_from(leaves), max_size=8, unique=True) if leaves else st.just([])
    for path in draw(some):
        _parent(document, path)[path[-1]] = draw(values)
    keys = [path for path, _ in places(document) if _arbitrary_key(path)]
    renames: bool = draw(st.booleans())
    if keys and renames:
        renamed: Path = draw(st.sampled_from(keys))
        parent = _parent(document, renamed)
        parent[draw(text)] = parent.pop(renamed[-1])
    return document


def _arbitrary_key(path: Path) -> bool:
    inside = path[0] == "steps" and bool({"inputs", "outputs"}.intersection(map(str, path[:-1])))
    within = len(path) > 1 and path[-2] in _ARBITRARY
    return isinstance(path[-1], str) and (inside or within)


def _parent(document: Any, path: Path) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document
