"""The releases that one stack deploys, by its file and the lock."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from release.lock import Entry, Lock, Verdict, deployed
from release.schema import ReleaseError, short
from tests.release.examples import releases, tensors

if TYPE_CHECKING:
    from pathlib import Path

PASS = {"dev": Verdict("pass")}
CURRENT, PASSED, EARLIER = releases(3)
DIGITS = (Entry.of(CURRENT, {}), Entry.of(PASSED, PASS), Entry.of(EARLIER, PASS))
LOCK = Lock(models={"digits": DIGITS, "ratings": (Entry.of(tensors(), {}),)})


def stack(folder: Path, models: Any, name: str = "prod", **promotion: str) -> None:
    config = {"kserve-triton:models": models, "kserve-triton:promotion": promotion}
    (folder / f"Pulumi.{name}.yaml").write_text(json.dumps({"config": config}))


def refused(folder: Path, name: str = "prod") -> str:
    with pytest.raises(ReleaseError) as caught:
        deployed(LOCK, folder, name)
    return str(caught.value)


def test_another_model_of_the_lock_or_of_another_stack_is_not_deployed(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}})
    stack(tmp_path, {"digits": {"release": EARLIER.digest}, "ratings": {}}, "dev")
    assert deployed(LOCK, tmp_path, "prod") == [("digits", CURRENT.digest)]


def test_a_stack_that_requires_a_pass_deploys_the_newest_that_has_it(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}}, requires="dev")
    assert deployed(LOCK, tmp_path, "prod") == [("digits", PASSED.digest)]


def test_with_a_reason_it_deploys_the_current_one(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}}, requires="dev", override="dev is down")
    assert deployed(LOCK, tmp_path, "prod") == [("digits", CURRENT.digest)]


def test_a_release_and_a_canary_that_are_named_are_deployed(tmp_path: Path) -> None:
    canary = {"release": short(PASSED.digest), "trafficPercent": 0}
    stack(tmp_path, {"digits": {"release": short(EARLIER.digest), "canary": canary}})
    found = [("digits", EARLIER.digest), ("digits", PASSED.digest)]
    assert deployed(LOCK, tmp_path, "prod") == found


def test_a_model_that_comes_as_an_image_is_read_from_its_release_too(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {"storageUri": f"oci://registry/digits@sha256:{'a' * 64}"}})
    assert deployed(LOCK, tmp_path, "prod") == [("digits", CURRENT.digest)]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"digits": {"release": CURRENT.digest}}, "has not passed dev's load test"),
        ({"digits": {"canary": {"release": CURRENT.digest}}}, "has not passed dev's load test"),
        ({"ratings": {}}, "like every earlier one, has not passed dev's load test"),
        ({"digits": {"release": "a" * 12}}, "allowed: one in models.lock.json"),
        ({"mine": {}}, "has no release of mine; run: python -m model build mine --pin"),
    ],
)
def test_a_release_that_it_may_not_deploy_is_refused(
    tmp_path: Path, models: Any, message: str
) -> None:
    stack(tmp_path, models, requires="dev")
    error = refused(tmp_path)
    assert error.startswith(f"Pulumi.prod.yaml: {next(iter(models))}: ")
    assert message in error


def test_a_stack_without_a_file_is_told_which_there_are(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}})
    stack(tmp_path, {"digits": {}}, "dev")
    error = refused(tmp_path, "staging")
    assert error.startswith("--stack: found staging, which has no Pulumi.staging.yaml")
    assert error.endswith("allowed: dev, prod; to add one: pulumi stack init staging")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: [", " can't be read: "),
        ("[1]", " can't be read: "),
        (b"\xff", " can't be read: "),
        ("config: {kserve-triton:promotion: dev}", " can't be read: "),
        ("encryptionsalt: v1", ": kserve-triton:models: missing; allowed: at least one"),
        (
            "config: {kserve-triton:models: {<name>: {release: <digest>}}}",
            ": fill in what is in angle brackets: <name>, <digest>",
        ),
        (
            "config: {kserve-triton:models: {digits: }, kserve-triton:promotion: {requires: <s>}}",
            ": fill in what is in angle brackets: <s>",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "Pulumi.prod.yaml").write_bytes(content)
    assert refused(tmp_path).startswith(f"Pulumi.prod.yaml{message}")


def test_a_digest_without_quotes_is_a_text(tmp_path: Path) -> None:
    release = "1" * 12
    (tmp_path / "Pulumi.prod.yaml").write_text(
        f"config: {{kserve-triton:models: {{digits: {{release: {release}}}}}}}"
    )
    pinned = Lock(models={"digits": (replace(DIGITS[0], digest="1" * 64),)})
    assert deployed(pinned, tmp_path, "prod") == [("digits", "1" * 64)]
