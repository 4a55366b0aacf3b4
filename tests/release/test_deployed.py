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


def found(folder: Path) -> list[tuple[str, str]]:
    wanted, missing = deployed(LOCK, folder, "prod")
    assert not missing
    return wanted


def refused(folder: Path, name: str = "prod") -> str:
    with pytest.raises(ReleaseError) as caught:
        deployed(LOCK, folder, name)
    return str(caught.value)


def test_another_model_of_the_lock_or_of_another_stack_is_not_deployed(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}})
    stack(tmp_path, {"digits": {"release": EARLIER.digest}, "ratings": {}}, "dev")
    assert found(tmp_path) == [("digits", CURRENT.digest)]


def test_a_stack_that_requires_a_pass_deploys_the_newest_that_has_it(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}}, requires="dev")
    assert found(tmp_path) == [("digits", PASSED.digest)]


def test_with_a_reason_it_deploys_the_current_one(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {}}, requires="dev", override="dev is down")
    assert found(tmp_path) == [("digits", CURRENT.digest)]


def test_a_release_and_a_canary_that_are_named_are_deployed(tmp_path: Path) -> None:
    canary = {"release": short(PASSED.digest), "trafficPercent": 0}
    stack(tmp_path, {"digits": {"release": short(EARLIER.digest), "canary": canary}})
    assert found(tmp_path) == [("digits", EARLIER.digest), ("digits", PASSED.digest)]


def test_a_model_that_comes_as_an_image_is_read_from_its_release_too(tmp_path: Path) -> None:
    stack(tmp_path, {"digits": {"storageUri": f"oci://registry/digits@sha256:{'a' * 64}"}})
    assert found(tmp_path) == [("digits", CURRENT.digest)]


@pytest.mark.parametrize(
    "models",
    [
        {"digits": {"release": CURRENT.digest}},
        {"digits": {"canary": {"release": CURRENT.digest}}},
        {"ratings": {}},
    ],
)
def test_one_that_has_not_passed_is_here_for_the_preview_to_refuse_it(
    tmp_path: Path, models: Any
) -> None:
    stack(tmp_path, models, requires="dev")
    ((name, _),) = models.items()
    current = LOCK.current(name)
    assert current
    assert (name, current.digest) in found(tmp_path)


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"mine": {"release": "a" * 12}}, "mine: models.lock.json has no release of mine; run: "),
        ({"mine": {"release": "<digest>"}}, "mine: models.lock.json has no release of mine; run: "),
        ({"ratings": {"release": "a" * 12}}, "allowed: one in models.lock.json"),
    ],
)
def test_what_the_lock_lacks_is_named_and_keeps_nothing_else_back(
    tmp_path: Path, models: Any, message: str
) -> None:
    stack(tmp_path, models | {"digits": {}})
    wanted, (missing,) = deployed(LOCK, tmp_path, "prod")
    assert wanted == [("digits", CURRENT.digest)]
    assert message in missing


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
    assert deployed(pinned, tmp_path, "prod") == ([("digits", "1" * 64)], [])


def test_an_object_may_be_a_text_of_json(tmp_path: Path) -> None:
    stack(tmp_path, json.dumps({"digits": {}}))
    assert found(tmp_path) == [("digits", CURRENT.digest)]
