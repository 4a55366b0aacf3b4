"""A value set in a YAML text: it says what it should, and nothing else was touched."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from measure.tune.edit import EditError, set_value

names = st.from_regex(r"[a-z][a-zA-Z]{0,6}", fullmatch=True)
scalars = st.one_of(
    st.integers(-9, 10**6), st.booleans(), st.text("ab #:{}'\"é\n", max_size=8), st.none()
)
data = st.recursive(
    st.one_of(scalars, st.lists(scalars, max_size=3)),
    lambda inner: st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
values = st.one_of(
    st.integers(0, 99),
    st.booleans(),
    st.text("a #:{}'\"", max_size=5),
    st.lists(st.integers(0, 9), max_size=3),
)
remarks = st.lists(st.sampled_from(["", "# why", "  # in between"]), min_size=4, max_size=4)


def dumped(raw: dict[str, Any]) -> str:
    """In block style."""
    return str(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False, width=1000))


def commented(raw: dict[str, Any], remarks: list[str]) -> str:
    """As a person might have written it: each key in block or flow style, with remarks between."""
    lines = []
    for at, (key, value) in enumerate(raw.items()):
        flow = f"{key}: {json.dumps(value, ensure_ascii=False)}"
        block = dumped({key: value}).rstrip("\n")
        lines += [remarks[at], flow if "#" in remarks[at] else block]
    return "\n".join(lines) + "\n"


@st.composite
def places(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """A mapping, and a path in it that leads to a value, or to where there is none yet."""
    raw = draw(st.dictionaries(names, data, min_size=1, max_size=4))
    path, inner = [], raw
    while isinstance(inner, dict):
        known = draw(st.booleans()) and bool(inner)
        path.append(draw(st.sampled_from(sorted(inner)) if known else names))
        inner = inner.get(path[-1])
        if draw(st.booleans()):
            break
    missing = draw(st.lists(names, max_size=2)) if inner is None and not set_in(raw, path) else []
    return raw, path + missing


@settings(max_examples=60)
@given(places(), remarks, values, st.booleans())
def test_whatever_was_there_stays_but_for_the_line_of_the_value(
    place: tuple[dict[str, Any], list[str]], said: list[str], value: Any, windows: bool
) -> None:
    raw, path = place
    text = commented(raw, said).replace("\n", "\r\n" if windows else "\n")
    before = yaml.safe_load(text)
    made = set_value(text, path, value)
    after = yaml.safe_load(made)
    assert inside(after, path) == value
    assert without(after, path) == without(before, path)
    old, new = text.splitlines(keepends=True), made.splitlines(keepends=True)
    gone = [line for line in difflib.ndiff(old, new) if line.startswith("- ")]
    # Without a value before, only a line in flow style may go, for the same with more in it.
    lines = dumped({path[-1]: inside(before, path)}).count("\n") if set_in(before, path) else 1
    assert len(gone) <= lines


def inside(raw: Any, path: list[str]) -> Any:
    for key in path:
        raw = raw[key]
    return raw


def set_in(raw: Any, path: list[str]) -> bool:
    for key in path:
        if not isinstance(raw, dict) or key not in raw:
            return False
        raw = raw[key]
    return True


def without(raw: Any, path: list[str]) -> Any:
    """Without the value, and without what is empty then."""
    if not isinstance(raw, dict):
        return raw
    rest = {key: value for key, value in raw.items() if key != path[0]}
    if path[0] in raw and len(path) > 1:
        inner = without(raw[path[0]], path[1:])
        if inner != {}:
            rest[path[0]] = inner
    return rest


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a: 1  # why\nb: 2\n", "a", 3, "a: 3  # why\nb: 2\n"),
        ("a: {b: 1}\n", "a.c", [8], "a: {b: 1, c: [8]}\n"),
        ("a: {}\n", "a.b.c", True, "a: {b: {c: true}}\n"),
        ("a: {b: 1,}\n", "a.c", 2, "a: {b: 1, c: 2,}\n"),
        ("a:\n  b: 1\n# of c\nc: 2\n", "a.d", 3, "a:\n  b: 1\n  d: 3\n# of c\nc: 2\n"),
        ("a:\n  b: 1  # why", "a.d", 3, "a:\n  b: 1  # why\n  d: 3"),
        ("a:\n  b: |\n    x\n\nc: 1\n", "a.d", 3, "a:\n  b: |\n    x\n\n  d: 3\nc: 1\n"),
        ("a:\n  b: [1,\n    2]\n", "a.b", [3], "a:\n  b: [3]\n"),
        ("a:\n- 1\n- 2\nc: 1\n", "a", [3, 4], "a:\n- 3\n- 4\nc: 1\n"),
        ("a:\n- 1 # why\nc: 1\n", "a", [], "a:\n  [] # why\nc: 1\n"),
        ("a: 1\n", "b.c.d", 2, "a: 1\nb:\n  c:\n    d: 2\n"),
        ("a: {b: 1}\n", "a.e", "1", 'a: {b: 1, e: "1"}\n'),
    ],
)
def test_it_is_written_as_a_person_would(text: str, path: str, value: Any, expected: str) -> None:
    assert set_value(text, path.split("."), value) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: 1\n", "a.b"),
        ("a: &x {b: 1}\nc: *x\n", "c.b"),
        ("- 1\n", "a"),
        ("a: [\n", "a"),
        ("", "a"),
    ],
    ids=["no mapping", "alias", "list", "not YAML", "empty"],
)
def test_what_cannot_be_edited_alone_is_refused(text: str, path: str) -> None:
    with pytest.raises(EditError):
        set_value(text, path.split("."), 2)
