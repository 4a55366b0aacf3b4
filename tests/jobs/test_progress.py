"""Lines of progress, and the termination message."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from jobs import progress
from jobs.progress import Progress, finish, truncate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_progress_is_printed_on_change_and_at_most_every_few_seconds() -> None:
    now = [0.0]
    out = io.StringIO()
    printed = Progress(out, lambda: now[0])
    for second, text in [(0.0, "a"), (0.5, "a"), (1.0, "b"), (2.5, "b"), (4.0, "c"), (30.0, "d")]:
        now[0] = second
        printed.waiting(text)
    assert out.getvalue().splitlines() == [
        "[   0.0 s] waiting: a",
        "[   2.5 s] waiting: b",
        "[  30.0 s] waiting: d",
    ]


def test_elapsed_seconds_count() -> None:
    out = io.StringIO()
    Progress(out, lambda: 5.0, elapsed=30.0).log("here")
    assert out.getvalue() == "[  30.0 s] here\n"


@given(st.text(), st.integers(16, 60))
def test_shortened_text_fits_and_is_text(text: str, size: int) -> None:
    found = truncate(text, size)
    assert len(found) <= size
    found.decode()
    if len(text.encode()) <= size:
        assert found.decode() == text


def test_the_message_keeps_the_reason_and_the_logs_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "log"
    file.touch()
    monkeypatch.setattr(progress, "TERMINATION_LOG", file)
    finish("reason" + "\nline" * 5000 + "\nthe cause")
    assert file.stat().st_size <= 4096
    assert file.read_text().startswith("reason\n")
    assert file.read_text().endswith("\nthe cause")


def test_a_termination_log_that_cannot_be_written_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TERMINATION_LOG", tmp_path)
    finish("done")
    assert capsys.readouterr().out == "done\n"


def test_outside_of_a_pod_there_is_no_termination_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TERMINATION_LOG", tmp_path / "log")
    finish("done")
    assert not list(tmp_path.iterdir())
