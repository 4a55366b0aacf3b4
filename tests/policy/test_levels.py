"""A stack's name decides how strict the rules are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy import levels
from policy.rules import RULES

NAMES = {rule.name for rule in RULES}
FILES = sorted(levels.HERE.glob("config.*.json"))


@given(st.text(max_size=10), st.sampled_from(["prod", "PROD", "Prod"]))
def test_names_that_begin_or_end_with_prod_are_production(rest: str, prod: str) -> None:
    rest = rest.replace("/", "")
    assert levels.is_production(prod + rest)
    assert levels.is_production(rest + prod)
    assert levels.is_production(f"acme/kserve-triton/{prod}")


@given(st.text(max_size=10).filter(lambda text: "prod" not in text.lower()))
def test_other_names_are_not(name: str) -> None:
    assert not levels.is_production(name)


@pytest.mark.parametrize("name", ["reproduce", "a-prod-like", "prod/dev", "dev"])
def test_prod_counts_at_the_ends_of_the_stacks_own_name_only(name: str) -> None:
    assert not levels.is_production(name)


@pytest.mark.parametrize(("stack", "file"), [("prod", "prod"), ("dev", "dev"), ("local", "dev")])
def test_the_command_prints_the_stacks_file(stack: str, file: str) -> None:
    command = [sys.executable, levels.__file__, stack]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert Path(printed.strip()) == levels.HERE / f"config.{file}.json"


def test_the_command_without_a_stack_says_how_it_is_used() -> None:
    ran = subprocess.run([sys.executable, levels.__file__], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "usage: " in ran.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_names_only_rules_that_there_are(path: Path) -> None:
    """The CLI would pass a misspelt one over in silence."""
    assert set(json.loads(path.read_text())) <= NAMES | {"all"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configuration_sets_only_what_a_rule_knows(path: Path) -> None:
    known = {rule.name: {"enforcementLevel", *rule.schema} for rule in RULES}
    for name, value in json.loads(path.read_text()).items():
        assert isinstance(value, str) or set(value) <= known[name]


def test_the_page_has_each_rule_and_its_levels() -> None:
    page = (levels.HERE.parent / "docs" / "policy.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if "|" in line
    ]
    said = {row[0].strip("`"): (row[2], row[3]) for row in rows if len(row) == 4}
    prod, dev = (json.loads(levels.config_file(stack).read_text()) for stack in ("prod", "dev"))
    for name in NAMES:
        assert said[name] == (_level(prod, name), _level(dev, name))


def _level(config: dict[str, Any], name: str) -> str:
    """What the CLI makes of a configuration: `all`, unless a rule has a level of its own."""
    own = config.get(name, {})
    return str(own if isinstance(own, str) else own.get("enforcementLevel", config["all"]))
