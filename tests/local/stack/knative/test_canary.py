"""Two releases of a model behind Knative's gateway: shares, promotion, and the ways back.

The earlier release takes each digit for the next one, so every answer tells who gave it.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from math import comb
from typing import TYPE_CHECKING, Any

from local.layout import ROOT
from tests.local.stack.conftest import floats, release
from tests.local.stack.load import load

if TYPE_CHECKING:
    from tests.local.stack.knative.conftest import KnativeStack
    from tests.local.stack.load import Load

_LOCK = json.loads((ROOT / "build" / "test" / "models.lock.json").read_text())["models"]["digits"]
_CURRENT, _EARLIER = (str(entry["digest"]) for entry in _LOCK)
_PERCENT, _REQUESTS, _AT_ONCE = 10, 1000, 8
# A right share fails once in a million runs: when it is below 57 or above 149.
_FALSE_ALARM = 1e-6


def _deploy(stack: KnativeStack, stable: str, canary: str | None = None, percent: int = 0) -> None:
    settings: dict[str, Any] = {"release": stable[:12]}
    if canary:
        settings["canary"] = {"release": canary[:12], "trafficPercent": percent}
    stack.deploy(models={"digits": settings}, perf={"enabled": False})


def _deploy_canary(stack: KnativeStack) -> None:
    """The current release as a canary of the earlier one, which must serve before."""
    models = stack.outputs().get("models", {})
    if models.get("digits", {}).get("canary", {}).get("digest") != _CURRENT:
        _deploy(stack, _EARLIER)
    _deploy(stack, _EARLIER, _CURRENT, _PERCENT)


def _label(digest: str) -> str:
    """What a release answers to the first sample."""
    scores = floats(release()["samples"][0]["outputs"][0])
    moved = 1 if digest == _EARLIER else 0
    return str((scores.index(max(scores)) + moved) % len(scores))


def _ask(stack: KnativeStack, requests: int = 100) -> list[str]:
    """The labels that so many requests get, each of which must be answered."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [each["label"] for each in pool.map(lambda _: stack.predict(), range(requests))]


def _labels(loaded: Load) -> set[str]:
    """The labels that all requests of a load got, each of which must have been answered."""
    assert loaded.hits and not loaded.lost, loaded.lost[:5]
    return {each["predictions"][0]["label"] for each in loaded.answers()}


def _revisions(stack: KnativeStack) -> list[str]:
    return [each["metadata"]["name"] for each in stack.revisions()]


def _chance(found: int) -> float:
    """The probability that a right share gives so few requests or fewer, or so many or more."""
    share = _PERCENT / 100
    each = [
        comb(_REQUESTS, n) * share**n * (1 - share) ** (_REQUESTS - n) for n in range(_REQUESTS + 1)
    ]
    return min(sum(each[: found + 1]), sum(each[found:]))


def test_a_canary_where_nothing_is_served_is_refused_before_it_would_get_all_requests(
    knative: KnativeStack,
) -> None:
    knative.destroy()
    models = {
        "digits": {
            "release": _EARLIER[:12],
            "canary": {"release": _CURRENT[:12], "trafficPercent": _PERCENT},
        }
    }
    knative.configure(models=models, perf={"enabled": False})
    for words in (("preview",), ("up", "--yes", "--skip-preview")):
        refused = knative.run(*words)
        assert refused.returncode != 0
        said = refused.stdout + refused.stderr
        assert "models.digits.canary: found one where nothing is served yet" in said
    assert not knative.list("inferenceservices", "/apis/serving.kserve.io/v1beta1")


def test_a_canary_of_another_release_than_the_one_that_runs_is_refused(
    knative: KnativeStack,
) -> None:
    _deploy(knative, _CURRENT)
    canary = {"release": _CURRENT[:12], "trafficPercent": _PERCENT}
    models = {"digits": {"release": _EARLIER[:12], "canary": canary}}
    refused = knative.up(models=models, perf={"enabled": False})
    assert refused.returncode != 0
    assert "the requests that it leaves would stay with what runs now" in (
        refused.stdout + refused.stderr
    )
    assert set(_ask(knative)) == {_label(_CURRENT)}


def test_a_canary_without_traffic_answers_at_its_own_address_only(knative: KnativeStack) -> None:
    _deploy(knative, _EARLIER)
    with load(knative) as loaded:
        # The update's verification compares what the canary answers there with its release.
        _deploy(knative, _EARLIER, _CURRENT)
    assert _labels(loaded) == {_label(_EARLIER)}
    outputs = knative.outputs()["models"]["digits"]
    assert (outputs["digest"], outputs["canary"]["digest"]) == (_EARLIER, _CURRENT)


def test_a_canary_gets_its_share_of_the_requests(knative: KnativeStack) -> None:
    _deploy_canary(knative)
    labels = _ask(knative, _REQUESTS)
    assert set(labels) == {_label(_EARLIER), _label(_CURRENT)}
    found = labels.count(_label(_CURRENT))
    print(f"{found} of {_REQUESTS} requests to the canary of {_PERCENT} %")
    assert _chance(found) > _FALSE_ALARM / 2, found


def test_a_canary_becomes_the_release_as_it_runs(knative: KnativeStack) -> None:
    _deploy_canary(knative)
    before = _revisions(knative)
    with load(knative) as loaded:
        _deploy(knative, _CURRENT)
    assert _labels(loaded) <= {_label(_EARLIER), _label(_CURRENT)}
    assert set(_ask(knative)) == {_label(_CURRENT)}
    assert _revisions(knative) == before


def test_a_rollback_loses_nothing(knative: KnativeStack) -> None:
    _deploy(knative, _CURRENT)
    with load(knative) as loaded:
        _deploy(knative, _EARLIER)
    assert _labels(loaded) <= {_label(_EARLIER), _label(_CURRENT)}
    assert set(_ask(knative)) == {_label(_EARLIER)}


def test_a_canary_is_given_up_and_gets_no_request_meanwhile(knative: KnativeStack) -> None:
    _deploy_canary(knative)
    # The two updates of docs/serving.md.
    _deploy(knative, _EARLIER, _EARLIER)
    with load(knative) as loaded:
        _deploy(knative, _EARLIER)
    assert _labels(loaded) == {_label(_EARLIER)}
    assert set(_ask(knative)) == {_label(_EARLIER)}
