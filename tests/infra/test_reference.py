"""What people read of the configuration is what the settings are."""

from __future__ import annotations

from infra.config import reference
from tests.infra.program import ROOT

MEND = "run: .venv/bin/python -m infra.config.reference"


def test_the_readmes_table_is_current() -> None:
    text = (ROOT / "README.md").read_text()
    assert reference.readme(text) == text, MEND


def test_the_projects_declarations_are_current() -> None:
    text = (ROOT / "Pulumi.yaml").read_text()
    assert reference.project(text) == text, MEND


def test_every_setting_says_what_it_is() -> None:
    assert all(meaning for _, _, meaning in reference.rows())
