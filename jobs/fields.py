"""Reads fields of a JSON object; an invalid field raises an error of one line that names it."""

from __future__ import annotations

import json
from typing import Any, NoReturn

__all__ = ["Fields"]

SHOWN_CHARACTERS = 60


class Fields:
    """A JSON object, its path for messages, and the class of errors."""

    def __init__(self, raw: dict[str, Any], path: str, error: type[Exception]) -> None:
        self.raw, self.path, self.error = raw, path, error
        self._read: set[str] = set()

    @classmethod
    def parse(cls, text: str | bytes, place: str, error: type[Exception]) -> Fields:
        """Parse JSON; `place` is where it is from."""
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise error(f"{place}: not JSON: {problem}") from problem
        if not isinstance(raw, dict):
            raise error(f"{place}: found a {type(raw).__name__}; allowed: a JSON object")
        return cls(raw, f"{place}: ", error)

    def fail(self, name: str, allowed: str) -> NoReturn:
        """Raise the error for a field."""
        found = json.dumps(self.raw[name])[:SHOWN_CHARACTERS] if name in self.raw else "nothing"
        raise self.error(f"{self.path}{name}: found {found}; allowed: {allowed}")

    def get(self, name: str) -> Any:
        """The value of a field; None if it is missing."""
        self._read.add(name)
        return self.raw.get(name)

    def section(self, name: str) -> Fields:
        value = self.get(name)
        if not isinstance(value, dict):
            self.fail(name, "a JSON object")
        return Fields(value, f"{self.path}{name}.", self.error)

    def sections(self, name: str, most: int = 1000) -> list[Fields]:
        value = self.get(name)
        valid = isinstance(value, list) and all(isinstance(each, dict) for each in value)
        if not valid or len(value) > most:
            self.fail(name, f"a list of JSON objects, {most} at most")
        return [
            Fields(each, f"{self.path}{name}[{index}].", self.error)
            for index, each in enumerate(value)
        ]

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not value:
            self.fail(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.get(name) is None else self.text(name)

    def choice(self, name: str, *allowed: str) -> str:
        value = self.get(name)
        if value not in allowed:
            self.fail(name, " or ".join(allowed))
        return str(value)

    def number(self, name: str, *, most: float = 1e12) -> float:
        value = self.get(name)
        if not _is_number(value) or not 0 <= value <= most:
            self.fail(name, f"a number, 0 to {most:g}")
        return float(value)

    def positive(self, name: str, *, most: float = 1e9, whole: bool = False) -> float:
        value = self.get(name)
        if not _is_number(value, whole) or not 0 < value <= most:
            self.fail(name, f"a {'whole ' if whole else ''}number above 0, at most {most:g}")
        return float(value)

    def reject_unknown(self) -> None:
        """Raise the error if there are fields that nothing has read."""
        for name in sorted(set(self.raw) - self._read):
            raise self.error(f"{self.path}{name}: not a field of this job")


def _is_number(value: Any, whole: bool = False) -> bool:
    return isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
