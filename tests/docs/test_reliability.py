"""The tables of docs/reliability.md, into which `make faults` writes what it measured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.tables import PAGE, Rows, replace

_HEAD = ["", "| row | measured |", "|---|---|"]
_CELL = st.text("abc 1,;:%`_<>", min_size=1, max_size=20).map(str.strip).filter(bool)
_ROWS = st.dictionaries(_CELL, _CELL, max_size=6).map(
    lambda cells: {name: (name, cell) for name, cell in cells.items()}
)
_TABLES = st.fixed_dictionaries({"One": _ROWS, "Two": _ROWS})


def _page(tables: dict[str, Rows]) -> str:
    lines = ["# Page", ""]
    for name, rows in tables.items():
        lines += [f"## {name}", "", f"<!-- {name} -->", *_HEAD]
        lines += [f"| {' | '.join(row)} |" for row in rows.values()]
        lines += ["", f"Text after {name}."]
    return "\n".join(lines) + "\n"


@given(_TABLES, _TABLES)
def test_measured_rows_replace_their_namesakes_and_others_stay(
    old: dict[str, Rows], measured: dict[str, Rows]
) -> None:
    wanted = _page({name: rows | measured[name] for name, rows in old.items()})
    assert replace(_page(old), measured) == wanted
    assert replace(wanted, measured) == wanted


@given(_TABLES, _ROWS)
def test_a_table_that_was_not_measured_stays(old: dict[str, Rows], rows: Rows) -> None:
    assert replace(_page(old), {"Two": rows}) == _page(old | {"Two": old["Two"] | rows})


def test_a_table_that_the_page_lacks_is_named() -> None:
    with pytest.raises(KeyError, match="no table Three"):
        replace(_page({"One": {}}), {"Three": {}})


def test_rows_can_be_written_into_all_tables_of_the_page() -> None:
    page = PAGE.read_text()
    names = [line[5:-4] for line in page.splitlines() if line.startswith("<!-- ")]
    assert names
    assert replace(page, {name: {} for name in names}) == page
