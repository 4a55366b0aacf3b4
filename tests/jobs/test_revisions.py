"""Under Knative: the newest revisions must be the release's, be ready, and get the requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.verify.revisions import cause, misplaced_traffic, unfinished_revisions
from tests.jobs.objects import NEW, OLD, revision, service, traffic

READY = [{"type": f"{each}Ready", "status": "True"} for each in ("Predictor", "Transformer")]


def seen(predictor: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An InferenceService whose status has this traffic."""
    return service(conditions=READY, components={"predictor": predictor}, **more)


def unfinished(
    thing: dict[str, Any], *revisions: dict[str, Any], canary: bool = False
) -> str | None:
    return unfinished_revisions(thing, list(revisions), NEW, canary=canary)


def test_the_newest_revision_gets_all_requests() -> None:
    old, new = revision(9, uri=OLD), revision(10)
    assert unfinished(seen(traffic((10, 100))), new, old) is None


def test_the_newest_revision_must_have_the_release() -> None:
    """KServe has updated neither Knative's Service nor its own status."""
    text = unfinished(seen(traffic((1, 100))), revision(1, uri=OLD))
    assert text == f"the predictor's newest revision digits-predictor-00001 has {OLD}, not {NEW}"


def test_a_status_that_lags_behind_the_revisions_is_waited_for() -> None:
    text = unfinished(seen(traffic((1, 100))), revision(1), revision(2))
    assert text == (
        "requests to the predictor, all, reach digits-predictor-00001, not digits-predictor-00002"
    )


def test_a_revision_that_is_not_ready_says_why() -> None:
    why = {"reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}
    starting = revision(2, ready="False", **why)
    assert unfinished(seen(traffic((1, 100))), revision(1), starting) == (
        "the predictor's revision digits-predictor-00002 is not ready "
        "(Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.)"
    )


@pytest.mark.parametrize(("have", "text"), [(1, "1 of 2 predictor pods"), (2, None), (None, None)])
def test_all_the_replicas_asked_for_must_be_ready(have: int | None, text: str | None) -> None:
    found = revision(1)
    found["status"] |= {"actualReplicas": have} if have is not None else {}
    said = unfinished(seen(traffic((1, 100)), replicas=2), found)
    assert said == (text and f"{text} of revision digits-predictor-00001 are ready")


def test_an_ingress_that_is_not_ready_is_waited_for() -> None:
    waits = {"type": "PredictorReady", "status": "Unknown", "reason": "IngressNotConfigured"}
    thing = service(conditions=[waits], components={"predictor": traffic((1, 100))})
    assert unfinished(thing, revision(1)) == "the predictor is not ready (IngressNotConfigured)"


def test_without_a_revision_the_services_condition_says_why() -> None:
    failed = {"type": "PredictorReady", "status": "False", "reason": "ReconcileFailed"}
    assert unfinished(service(conditions=[failed])) == (
        "the predictor has no revision yet (ReconcileFailed)"
    )


def test_the_transformer_is_waited_for_too() -> None:
    thing = seen(traffic((1, 100)), transformer=True)
    assert unfinished(thing, revision(1)) == "the transformer has no revision yet"
    both = revision(1), revision(1, component="transformer", uri=None)
    assert unfinished(thing, *both) == (
        "requests to the transformer, all, reach nothing, not digits-transformer-00001"
    )
    shares = traffic((1, 100), component="transformer")
    thing["status"]["components"]["transformer"] = shares
    assert unfinished(thing, *both) is None


def test_a_handler_of_another_release_is_an_older_transformers() -> None:
    thing = seen(traffic((1, 100)), transformer=True)
    thing["status"]["components"]["transformer"] = traffic((1, 100), component="transformer")
    old = revision(1, component="transformer", uri=f"{OLD}/digits/handler")
    assert "the transformer's newest revision" in (unfinished(thing, revision(1), old) or "")


def test_a_canary_is_at_the_tagged_address() -> None:
    both = revision(1, uri=OLD), revision(2)
    assert unfinished(seen(traffic((1, 90), (2, 10))), *both, canary=True) is None
    lagging = unfinished(seen(traffic((1, 100))), *both, canary=True)
    assert lagging == (
        "requests to the predictor, with tag latest, reach nothing, not digits-predictor-00002"
    )
    # Promoted, while the status is that of the canary.
    assert unfinished(seen(traffic((1, 90), (2, 10))), *both) is not None


def test_a_second_canary_is_not_taken_for_the_first() -> None:
    """The first one answers at the tagged address until KServe has made the second one."""
    first, second = revision(2, uri="gs://bucket/models/digits/first"), revision(3)
    status = seen(traffic((1, 90), (2, 10)))
    assert unfinished(status, revision(1, uri=OLD), first, canary=True) is not None
    assert unfinished(status, revision(1, uri=OLD), first, second, canary=True) is not None
    status = seen(traffic((1, 90), (3, 10)))
    assert unfinished(status, revision(1, uri=OLD), first, second, canary=True) is None


@given(
    st.lists(st.sampled_from([NEW, OLD]), min_size=1, max_size=4),
    st.lists(st.integers(1, 4), min_size=1, max_size=2, unique=True),
    st.booleans(),
)
def test_finished_means_that_requests_reach_the_release(
    uris: list[str], numbers: list[int], canary: bool
) -> None:
    """Whatever the status says, and however old it is."""
    revisions = [revision(number, uri=uri) for number, uri in enumerate(uris, 1)]
    shares = [(number, 100 if len(numbers) == 1 else 50) for number in numbers]
    if unfinished(seen(traffic(*shares)), *revisions, canary=canary) is None:
        reached = numbers[-1]
        assert reached == len(uris) and uris[reached - 1] == NEW
        assert canary == (len(numbers) == 2)


def test_a_canary_leaves_requests_to_the_stable_release() -> None:
    both = [revision(1, uri=OLD), revision(2)]
    assert misplaced_traffic(seen(traffic((1, 90), (2, 10))), both, OLD) is None
    # A share of nothing is no address of requests.
    assert misplaced_traffic(seen(traffic((1, 100), (2, 0))), both, OLD) is None
    assert "00001 with gs://bucket/models/digits/old: under Knative" in (
        misplaced_traffic(seen(traffic((1, 90), (2, 10))), both, "gs://bucket/models/digits/other")
        or ""
    )


@pytest.mark.parametrize("shares", [[(1, 100)], [(1, 90), (1, 10)]])
def test_a_canary_of_a_service_that_never_had_another_release(shares: Any) -> None:
    """KServe gives the first revision of a service all requests."""
    text = misplaced_traffic(seen(traffic(*shares)), [revision(1)], OLD)
    assert text is not None and "Deploy the release without the canary first" in text


FAILED = {
    "type": "PredictorReady",
    "status": "False",
    "reason": "RevisionFailed",
    "message": 'Revision "digits-predictor-00002" failed with message: no room.',
}


def test_a_failed_revision_says_itself_why() -> None:
    failed = revision(2, ready="False", reason="Unschedulable")
    assert cause(FAILED, [revision(1), failed]) == "Unschedulable"
    assert cause(FAILED, None) == "RevisionFailed"
    other = {"reason": "NoSupportingRuntime", "message": None}
    assert cause(other, [failed]) == "NoSupportingRuntime"


def test_the_failure_of_an_older_revision_does_not_count() -> None:
    failed = revision(2, ready="False", reason="ContainerMissing")
    assert cause(FAILED, [failed, revision(3, ready="Unknown")]) is None


def test_a_revision_that_could_not_be_created_has_failed() -> None:
    message = "Revision creation failed with message: admission webhook denied the request."
    assert cause(FAILED | {"message": message}, [revision(1)]) == "RevisionFailed"
