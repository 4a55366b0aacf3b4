"""The pack's process loads, says what it enforces, and answers for real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pulumi.runtime.proto import analyzer_pb2 as proto

from policy.rules import RULES
from tests.policy.process import Pack, running
from tests.policy.resources import (
    BUCKET,
    INFERENCE_SERVICE,
    JOB,
    KEPT,
    MEMBER,
    changed,
    container,
    inference_service,
    job,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = [
    "bucket-private",
    "bucket-uniform-access",
    "bucket-versioned",
    "bucket-protected",
    "images-by-digest",
    "container-limits",
    "gpus-bounded",
    "no-wildcard-roles",
    "no-service-account-keys",
]
# How Pulumi's wire format says that a string is known only after the update, and what is a secret.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
ASSET = "c44067f5952c0a294b673a41bacd8c17"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pack]:
    with running(tmp_path_factory.mktemp("elsewhere")) as pack:
        yield pack


@pytest.fixture
def pack(process: Pack) -> Pack:
    """At its own levels, whatever a test before it set."""
    process.configure({}, {})
    return process


def test_the_pack_has_these_rules_all_mandatory_until_somebody_says_otherwise(pack: Pack) -> None:
    info = pack.info()
    assert info.name == "kserve-triton"
    assert {each.name: each.enforcementLevel for each in info.policies} == dict.fromkeys(
        NAMES, proto.MANDATORY
    )
    assert info.supportsConfig


def test_the_rules_are_each_described_and_named_once() -> None:
    assert [rule.name for rule in RULES] == NAMES
    assert all(rule.description.endswith(".") and rule.remedy for rule in RULES)


def test_the_maximum_of_gpus_is_in_the_schema(pack: Pack) -> None:
    schemas = {each.name: each.configSchema.properties for each in pack.info().policies}
    maximum = schemas["gpus-bounded"]["maximum"]
    assert (maximum["type"], maximum["default"]) == ("integer", 16)


@pytest.mark.parametrize("token", sorted(KEPT))
def test_a_resource_that_keeps_every_rule_is_let_through(pack: Pack, token: str) -> None:
    assert pack.analyze(token, KEPT[token]) == []


def test_a_bad_bucket_breaks_four_rules(pack: Pack) -> None:
    found = pack.analyze(BUCKET, {"name": "open"}, protect=False)
    assert [(rule, level) for rule, level, _ in found] == [
        (name, "MANDATORY") for name in NAMES if name.startswith("bucket-")
    ]
    message = found[0][2]
    assert "publicAccessPrevention is unset instead of enforced; set public_access" in message


def test_a_level_of_the_configuration_holds(pack: Pack) -> None:
    changes = {"bucket-private": proto.ADVISORY, "bucket-protected": proto.DISABLED}
    pack.configure(changes, {})
    found = pack.analyze(BUCKET, {"name": "open"}, protect=False)
    assert {rule: level for rule, level, _ in found} == {
        "bucket-private": "ADVISORY",
        "bucket-uniform-access": "MANDATORY",
        "bucket-versioned": "MANDATORY",
    }


def test_a_maximum_of_the_configuration_holds(pack: Pack) -> None:
    pack.configure({}, {"gpus-bounded": {"maximum": 4}})
    ((rule, _, message),) = pack.analyze(INFERENCE_SERVICE, inference_service())
    assert rule == "gpus-bounded"
    assert "8 GPUs at most (spec.predictor 8 pods of 1); allowed: 4 in all; " in message


def test_what_a_preview_cannot_know_is_said_and_blocks_nothing(pack: Pack) -> None:
    found = pack.analyze(MEMBER, {"role": "roles/storage.objectViewer", "member": UNKNOWN})
    ((rule, level, message),) = found
    assert (rule, level) == ("bucket-private", "ADVISORY")
    assert "can't be known during preview" in message


def test_a_breach_before_what_is_unknown_still_counts(pack: Pack) -> None:
    two = job(containers=[container("a", image="a:1"), container("b", image=UNKNOWN)])
    found = [(rule, level) for rule, level, _ in pack.analyze(JOB, two)]
    assert found == [("images-by-digest", "MANDATORY"), ("images-by-digest", "ADVISORY")]


def test_a_secret_is_looked_into(pack: Pack) -> None:
    secret = {SIGNATURE: SECRET, "value": "allUsers"}
    ((rule, _, _),) = pack.analyze(MEMBER, changed(KEPT[MEMBER], "member", secret))
    assert rule == "bucket-private"


def test_an_uploaded_file_is_no_obstacle(pack: Pack) -> None:
    asset = {SIGNATURE: ASSET, "path": "model.pt", "hash": "00"}
    assert pack.analyze("gcp:storage/bucketObject:BucketObject", {"source": asset}) == []
