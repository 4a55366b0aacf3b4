"""The cloud stacks as they are shipped: what a user must fill in, and nothing else is wrong."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest
import yaml

from infra.config.problems import ConfigError
from infra.config.settings import Settings
from policy.buckets import BUCKET
from tests.infra.program import FILLED_IN, ROOT, run
from tests.policy.resources import broken

EVERYWHERE = {
    "identity.projectNumber",
    "jobs.image",
    "storage.bucket",
    "storage.project",
    "transformer.image",
}
TO_FILL_IN = {"dev": EVERYWHERE, "prod": EVERYWHERE | {"triton.image"}}


def shipped(stack: str) -> dict[str, Any]:
    """The stack's file as a fresh clone has it, without other programs' keys."""
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    prefix = "kserve-triton:"
    return {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }


@pytest.mark.parametrize("stack", TO_FILL_IN)
def test_a_fresh_clone_is_told_all_that_is_left_to_fill_in(stack: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.parse(shipped(stack))
    found = re.findall(r"kserve-triton:([\w.-]+): found", str(caught.value))
    # Keys of models are told under the model, where the stack's file has them for all.
    assert set(found) == TO_FILL_IN[stack]
    assert len(found) == len(str(caught.value).splitlines()) - 2


@pytest.mark.parametrize("stack", TO_FILL_IN)
def test_what_is_to_be_filled_in_looks_like_it(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert set(re.findall(r"<[^>]+>", text)) <= set(FILLED_IN)


def test_prod_keeps_its_own_policies() -> None:
    for each in run("prod").resources:
        if each.typ.startswith(("gcp:", "kubernetes:")):
            assert broken(each.typ, each.inputs, protect=each.typ == BUCKET) == {}, each.name


@pytest.mark.parametrize("stack", TO_FILL_IN)
def test_a_filled_in_stack_previews_without_a_warning(
    stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    run(stack)
    assert warnings == []
