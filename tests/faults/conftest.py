"""The cluster, its stacks, and the rows that are measured."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.faults import tables
from tests.faults.served import Served, sample, write_pictures
from tests.local.conftest import cluster
from tests.local.node.conftest import pods
from tests.local.stack.conftest import stack
from tests.local.stack.knative.conftest import knative

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.local.stack.conftest import Stack

__all__ = ["cluster", "knative", "pods", "stack"]

_MEASURED = pytest.StashKey[dict[str, tables.Rows]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--page", action="store_true", help="write the rows into docs/reliability.md")


@pytest.fixture(scope="module")
def served(stack: Stack) -> Served:
    """The transformer of `digits` on the cluster. Its clients have 9 s for a request, as it has."""
    stack.deploy(perf={"enabled": False}, transformer={"cpu": "250m", "timeoutSeconds": 10})
    return Served(stack)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what clients send, made of a 7."""
    folder = tmp_path_factory.mktemp("pictures")
    digit = folder / "digit.png"
    digit.write_bytes(base64.b64decode(sample("7")))
    write_pictures(digit, folder)
    return folder


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Call it with a table's name and the cells of a row, of which the first one is its name."""
    rows = request.config.stash.setdefault(_MEASURED, {})

    def add(table: str, *cells: str) -> None:
        rows.setdefault(table, {})[cells[0]] = cells

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    found = config.stash.get(_MEASURED, {})
    for name, rows in found.items():
        for line in ("", *tables.render(name, rows.values())):
            terminalreporter.write_line(line)
    if found and config.getoption("--page"):
        tables.PAGE.write_text(tables.replace(tables.PAGE.read_text(), found))
