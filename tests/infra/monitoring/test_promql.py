"""Text that a model's or a namespace's name can't break out of."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.manifests.monitoring.promql import number, quote, select
from tests.infra.monitoring.cases import matched


@given(st.text())
@example('"} or up{a="')
@example("\\")
@example("line\nfeed")
@example("\ufffd")
@example("\U0001f600")
def test_a_label_value_means_itself_whatever_it_holds(text: str) -> None:
    selector = promql_parser.parse(select("up", {"model": text}))
    assert matched(selector) == {"model": text}


@given(st.text())
def test_a_literal_is_one_line_of_ascii(text: str) -> None:
    assert quote(text).isascii()
    assert quote(text).isprintable()


def test_matchers_that_are_written_out_follow_the_labels() -> None:
    made = select("requests", {"model": "digits"}, 'status=~"5.."')
    assert made == 'requests{model="digits", status=~"5.."}'


@given(st.floats(1e-9, 1e9))
def test_a_number_is_read_back_to_six_digits(value: float) -> None:
    literal: Any = promql_parser.parse(number(value))
    assert literal.val == pytest.approx(value, rel=1e-5)


def test_a_number_has_no_noise_of_binary_fractions() -> None:
    assert number(1 - 0.999) == "0.001"
