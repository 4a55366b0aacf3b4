"""A pod's hosts file, changed while programs read it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from local.node.hosts import edits, update

_LINE = st.integers(0, 30).map(lambda n: f"10.96.0.{n} " + "name" * (n % 4 + 1) + str(n))


def _lines(content: bytes) -> list[str]:
    return [line for each in content.decode().splitlines() if (line := each.rstrip())]


@given(st.lists(st.sets(_LINE, max_size=12), min_size=1, max_size=6), st.integers(0, 400))
def test_a_reader_never_misses_a_name_that_stays(updates: list[set[str]], read: int) -> None:
    """Also not one that has read a part of the file before an update and the rest after it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hosts"
        path.touch()
        valid: set[str] = set()
        for lines in updates:
            before = path.read_bytes()
            update(path, lines)
            after = path.read_bytes()
            assert sorted(_lines(after)) == sorted(lines)
            assert valid & lines <= set(_lines(before[:read] + after[read:]))
            valid = lines


def test_nothing_is_written_without_a_change() -> None:
    assert not list(edits(b"10.96.0.1 a\n\n10.96.0.2 b  \n", ["10.96.0.2 b", "10.96.0.1 a"]))


def test_places_are_used_again() -> None:
    """So the file does not grow for ever."""
    assert list(edits(b"10.96.0.1 long\n", ["10.96.0.2 a"])) == [(0, b"10.96.0.2 a   ")]
