"""Reading logs, without a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from local.node.logs import Log, tail

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_LINES = st.lists(
    st.binary(max_size=20).filter(lambda each: b"\n" not in each and b"\r" not in each)
)


@given(_LINES, st.integers(0, 30))
def test_the_tail_is_the_last_lines(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], count: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "c.log"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    last = lines[-count:] if count else []
    assert tail(path, count) == b"".join(line + b"\n" for line in last)
    assert tail(path, None) == path.read_bytes()


@given(st.lists(st.binary(max_size=200)), st.lists(st.binary(max_size=200)))
def test_following_loses_nothing_that_is_written_before_the_end(
    tmp_path_factory: pytest.TempPathFactory, before: list[bytes], after: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("log") / "c.log"
    path.write_bytes(b"".join(before))
    left = list(after)

    def write(_: float) -> bool:
        with path.open("ab") as file:
            file.write(left.pop(0))
        return True

    pieces = Log(path, lambda: bool(left)).follow(None, write)
    assert b"".join(pieces) == b"".join([*before, *after])


def test_following_goes_on_in_a_log_that_was_shortened(tmp_path: Path) -> None:
    path = tmp_path / "c.log"
    path.write_bytes(b"x" * 1000)
    pieces = Log(path, lambda: True).follow(0, lambda _: True)
    assert next(pieces) == b""
    path.write_bytes(b"new")
    assert next(pieces) == b"new"


def test_following_ends_when_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "c.log"
    path.write_bytes(b"")
    assert list(Log(path, lambda: True).follow(None, lambda _: False)) == [b""]
