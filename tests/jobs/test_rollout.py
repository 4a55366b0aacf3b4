"""A rollout is finished when every request reaches the version to verify."""

from __future__ import annotations

import pytest

from jobs.verify.rollout import changed_at, parse_time, split, storage_uri, unfinished_rollout
from tests.jobs.objects import NEW, NOW, OLD, ago, pod, service, waiting


def test_spec_is_dated_by_its_last_writer() -> None:
    assert changed_at(service(changed=42)) == parse_time(ago(42))


def test_storage_uri_is_the_predictors() -> None:
    assert storage_uri(service(OLD)) == OLD
    assert storage_uri({"spec": {}}) is None


def test_one_ready_pod_of_the_new_uri_is_enough() -> None:
    assert unfinished_rollout(service(), [pod(ready=True)], NEW, "Standard", NOW) is None


def test_pods_of_another_uri_are_older() -> None:
    new, old = pod("new"), pod("old", uri=OLD, made=1)
    assert split([old, new], NEW) == ([new], [old])


def test_transformer_that_fetches_its_handler_belongs_to_the_version() -> None:
    new = pod("new", uri=f"{NEW}/digits/handler", component="transformer")
    old = pod("old", uri=f"{OLD}/digits/handler", component="transformer", made=1)
    longer = pod("longer", uri=f"{NEW}er/digits/handler", component="transformer", made=1)
    assert split([longer, old, new], NEW) == ([new], [longer, old])


def test_revision_with_the_youngest_pod_is_the_current_one() -> None:
    older, newer = pod("a", template="a", made=100), pod("b", template="b", made=50)
    second = pod("c", template="b", made=90)
    assert split([older, newer, second], NEW) == ([newer, second], [older])


def test_waits_for_old_pods_to_go() -> None:
    pods = [pod(ready=True), pod("old-1", uri=OLD, ready=True)]
    assert (
        unfinished_rollout(service(), pods, NEW, "Standard", NOW) == "older pods still serve: old-1"
    )


def test_waits_for_the_new_pod_and_says_what_it_does() -> None:
    pods = [pod("new-1", containers=[waiting("PodInitializing")]), pod("old", uri=OLD, ready=True)]
    text = unfinished_rollout(service(), pods, NEW, "Standard", NOW)
    assert text == "no predictor pod of this version is ready (new-1: PodInitializing)"


def test_waits_for_the_transformer_too() -> None:
    text = unfinished_rollout(service(transformer=True), [pod(ready=True)], NEW, "Standard", NOW)
    assert text == "no transformer pod of this version is ready, there is none yet"


def test_waits_for_kserve_to_look_at_a_new_spec() -> None:
    text = unfinished_rollout(service(changed=1), [pod(ready=True)], NEW, "Standard", NOW)
    assert text is not None
    assert "not have seen" in text


def test_pods_that_may_not_be_read_are_not_waited_for() -> None:
    assert unfinished_rollout(service(), None, NEW, "Standard", NOW) is None


@pytest.mark.parametrize(
    ("ready", "settled"), [("digits-predictor-00002", True), ("digits-predictor-00001", False)]
)
def test_knative_serves_when_the_latest_revision_is_ready(ready: str, settled: bool) -> None:
    status = {"latestCreatedRevision": "digits-predictor-00002", "latestReadyRevision": ready}
    thing = service(components={"predictor": status})
    old = pod("digits-predictor-00001-x", uri=OLD, ready=True)
    assert (unfinished_rollout(thing, [old], NEW, "Knative", NOW) is None) is settled
