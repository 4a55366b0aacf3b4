"""A rollout is finished when every request reaches the version to verify."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.verify.rollout import (
    changed_at,
    is_young,
    parse_time,
    replicas,
    split,
    storage_uri,
    unfinished_rollout,
)
from tests.jobs.objects import NEW, NOW, OLD, ago, pod, replica_set, service, waiting


def test_spec_is_dated_by_its_last_writer() -> None:
    assert changed_at(service(changed=42)) == parse_time(ago(42))


def test_storage_uri_is_the_predictors() -> None:
    assert storage_uri(service(OLD)) == OLD
    assert storage_uri({"spec": {}}) is None


def test_one_ready_pod_of_the_new_uri_is_enough() -> None:
    assert unfinished_rollout(service(), [pod(ready=True)], NEW) is None


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
    assert unfinished_rollout(service(), pods, NEW) == "older pods still serve: old-1"


def test_waits_for_the_first_pod_of_a_newer_replica_set() -> None:
    """One that has another image or resources and serves the same release."""
    pods = [pod(ready=True)]
    sets = [replica_set(), replica_set(template="newer", number=10), replica_set(number=9)]
    text = "ReplicaSet digits-newer has no pod yet"
    assert unfinished_rollout(service(), pods, NEW, sets=sets) == text
    assert unfinished_rollout(service(), pods, NEW, sets=sets[::2]) is None
    sets[1]["spec"]["replicas"] = 0
    assert unfinished_rollout(service(), pods, NEW, sets=sets) is None
    made = [*pods, pod("newer", template="newer", made=1)]
    assert "0 of 1" in (unfinished_rollout(service(), made, NEW) or "")


def test_waits_for_the_new_pod_and_says_what_it_does() -> None:
    pods = [pod("new-1", containers=[waiting("PodInitializing")]), pod("old", uri=OLD, ready=True)]
    text = unfinished_rollout(service(), pods, NEW)
    assert text == "0 of 1 predictor pods of this version are ready (new-1: PodInitializing)"


def test_waits_for_the_transformer_too() -> None:
    text = unfinished_rollout(service(transformer=True), [pod(ready=True)], NEW)
    assert text == "0 of 1 transformer pods of this version are ready, there is none yet"


def test_all_the_replicas_asked_for_must_be_ready() -> None:
    thing, ready = service(replicas=4), [pod(f"ready-{n}", ready=True) for n in range(4)]
    pending = [pod(f"pending-{n}") for n in range(7)]
    assert unfinished_rollout(thing, ready, NEW) is None
    assert unfinished_rollout(thing, [*ready[:2], *pending[:2]], NEW) == (
        "2 of 4 predictor pods of this version are ready (pending-0: Pending; pending-1: Pending)"
    )
    assert unfinished_rollout(thing, ready[:3], NEW) == (
        "3 of 4 predictor pods of this version are ready"
    )
    assert (unfinished_rollout(thing, pending, NEW) or "").endswith("4: Pending; 2 more)")


@given(st.integers(1, 9), st.lists(st.integers(1, 4), max_size=2))
def test_kserve_takes_the_pods_of_canaries_from_the_others(least: int, canaries: list[int]) -> None:
    thing = service(replicas=least)
    thing["spec"]["canary"] = [
        {"predictor": {"name": f"canary-{n}", "minReplicas": wanted}}
        for n, wanted in enumerate(canaries)
    ]
    for n, wanted in enumerate(canaries):
        assert replicas(thing, "predictor", f"canary-{n}") == wanted
    assert replicas(thing, "predictor") == max(1, least - sum(canaries))


def test_a_pod_that_has_ended_is_of_no_version() -> None:
    evicted = pod("evicted", made=1, template="newer")
    evicted["status"]["phase"] = "Failed"
    new = pod("new", ready=True)
    assert split([evicted, new], NEW) == ([new], [])


@pytest.mark.parametrize(("changed", "young"), [(1, True), (4, False)])
def test_kserve_gets_time_to_look_at_a_new_spec(changed: float, young: bool) -> None:
    assert is_young(service(changed=changed), NOW) is young
