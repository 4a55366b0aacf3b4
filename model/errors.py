"""Exceptions of a model author's code, as one line for the terminal."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from release.schema import ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["author_code"]


@contextmanager
def author_code(what: str, folder: Path) -> Iterator[None]:
    """Turn an exception of the code below `folder` into a ReleaseError with its file and line."""
    try:
        yield
    except ReleaseError:
        raise
    except Exception as error:
        raise ReleaseError(f"{what}: {_describe(error)}{_place(error, folder)}") from error


def _describe(error: Exception) -> str:
    text = str(error).strip()
    if error.__cause__ is not None and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(error: BaseException, folder: Path) -> str:
    """The author's line, where there is one, of the error that caused the others."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, SyntaxError) and error.filename:
        return f" (in {_relative(error.filename)}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(folder.resolve())]
    return f" (in {_relative(own[-1].filename)}, line {own[-1].lineno})" if own else ""


def _relative(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
