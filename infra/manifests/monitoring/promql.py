"""PromQL as text: values quoted, series selected, numbers written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def quote(text: str) -> str:
    """A string literal that means exactly this text.

    All but printable ASCII is escaped: Prometheus' lexer refuses some of it raw, such as a line
    feed and U+FFFD.
    """
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if " " <= char <= "~":
        return char
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def select(metric: str, labels: Mapping[str, str], *matchers: str) -> str:
    """Series of a metric with exactly these labels; further matchers as they are written."""
    equal = [f"{name}={quote(value)}" for name, value in labels.items()]
    return f"{metric}{{{', '.join([*equal, *matchers])}}}"


def rate(series: str, window: str) -> str:
    """Sum over all series of what a counter gained a second."""
    return f"sum(rate({series}[{window}]))"


def number(value: float) -> str:
    """A number literal, without the noise of binary fractions."""
    return f"{value:.6g}"
