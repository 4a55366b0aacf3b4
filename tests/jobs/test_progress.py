"""Progress is for people, last words are for the pod's status."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from jobs.progress import Progress, last_words, shorten

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_progress_is_said_on_change_and_every_few_seconds_at_most() -> None:
    now = [0.0]
    out = io.StringIO()
    progress = Progress(out, lambda: now[0])
    for second, text in [(0.0, "a"), (0.5, "a"), (1.0, "b"), (2.5, "b"), (4.0, "c"), (30.0, "d")]:
        now[0] = second
        progress.waits_for(text)
    assert out.getvalue().splitlines() == [
        "[   0.0 s] waiting: a",
        "[   2.5 s] waiting: b",
        "[  30.0 s] waiting: d",
    ]


def test_seconds_that_had_passed_already_count() -> None:
    out = io.StringIO()
    Progress(out, lambda: 5.0, already=30.0).note("here")
    assert out.getvalue() == "[  30.0 s] here\n"


@given(st.text(), st.integers(16, 60))
def test_shortened_text_fits_and_is_text(text: str, size: int) -> None:
    found = shorten(text, size)
    assert len(found) <= size
    found.decode()
    if len(text.encode()) <= size:
        assert found.decode() == text


def test_last_words_keep_the_reason_and_the_logs_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERMINATION_LOG", raising=False)
    file = tmp_path / "log"
    last_words("reason" + "\nline" * 5000 + "\nthe cause", str(file))
    assert file.stat().st_size <= 4096
    assert file.read_text().startswith("reason\n")
    assert file.read_text().endswith("\nthe cause")


def test_environment_names_another_termination_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERMINATION_LOG", str(tmp_path / "env"))
    last_words("done", str(tmp_path / "job"))
    assert (tmp_path / "env").read_text() == "done"
    assert not (tmp_path / "job").exists()


def test_termination_log_that_cannot_be_written_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERMINATION_LOG", raising=False)
    last_words("done", "/nowhere/log")
    assert capsys.readouterr().out == "done\n"
