"""The formats of a model, compared on a real Triton."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from local.toolchain import tool
from measure.tune import formats
from measure.tune.deployment import TuneError
from measure.tune.knobs import Knobs
from measure.tune.search import Measured
from measure.tune.session import Plan
from measure.tune.stack import StackFile
from release.schema import Format

if TYPE_CHECKING:
    from pathlib import Path

# Whatever machine this is, something holds.
STACK = """config:
  kserve-triton:perf: {objectives: {p99Ms: 1000}}
  kserve-triton:models: {digits: {}}
"""


def test_every_format_is_built_served_and_measured(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(STACK)
    plan = Plan(seconds=0.5, resolution=8, attempts=1, confirm=False)
    text = formats.compare(StackFile.read(path, "digits"), 1, plan, str(tool("vegeta")))
    _, *rows, note = text.splitlines()
    assert [row.split()[0] for row in rows] == list(get_args(Format))
    for row in rows:
        _, rate, p99, batched = row.split()
        assert float(rate) > 0
        assert 0 < float(p99) <= 1000
        assert float(batched) > 0
    assert "Python programs" in note
    assert path.read_text() == STACK


def test_a_format_that_holds_no_rate_says_so() -> None:
    text = formats.table({"torchscript": [Measured(Knobs(), 0, 0)]})
    assert text.splitlines()[1].split() == ["torchscript", "none"]


def test_a_format_that_cannot_be_served_is_an_error() -> None:
    with pytest.raises(TuneError, match="it doesn't load"):
        formats.table({"aoti": [Measured(Knobs(), 0, 0, failure="it doesn't load")]})
