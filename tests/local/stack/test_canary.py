"""Two releases of a model at once on the real KServe and Triton, and the way back."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from local import reports
from local.layout import ROOT
from tests.local.stack.comments import comment

if TYPE_CHECKING:
    from tests.local.stack.conftest import Stack

_LOCK = json.loads((ROOT / "build" / "test" / "models.lock.json").read_text())["models"]["digits"]
_CURRENT, _EARLIER = (entry["digest"] for entry in _LOCK)
_AT_ONCE = 32


def _answered(stack: Stack, service: str) -> int:
    """Requests that the Triton behind a Service has answered."""
    url = f"{stack.address(service)}/v2/models/digits/stats"
    with urllib.request.urlopen(url, timeout=10) as answer:
        (stats,) = json.load(answer)["model_stats"]
    return int(stats["inference_stats"]["success"]["count"])


def _both(percent: int = 50) -> dict[str, Any]:
    canary = {"release": _CURRENT[:12], "trafficPercent": percent}
    return {"digits": {"release": _EARLIER[:12], "canary": canary}}


def test_a_canary_beside_the_stable_release_gets_its_share(stack: Stack) -> None:
    stack.deploy(models={"digits": {"release": _EARLIER[:12]}})
    assert stack.outputs()["models"]["digits"]["digest"] == _EARLIER
    stack.deploy(models=_both())
    outputs = stack.outputs()["models"]["digits"]
    assert outputs["ready"] is True
    assert (outputs["digest"], outputs["canary"]["digest"]) == (_EARLIER, _CURRENT)
    services = ("digits-predictor", "digits-canary-predictor")
    before = [_answered(stack, each) for each in services]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        assert all(pool.map(lambda _: stack.predict(), range(_AT_ONCE * 4)))
    after = [_answered(stack, each) for each in services]
    gained = [now - then for now, then in zip(after, before, strict=True)]
    # Half of its share, which is a half.
    assert min(gained) >= sum(gained) / 4


def test_it_becomes_the_release_by_one_change_and_leaves_nothing(stack: Stack) -> None:
    stack.deploy(models=_both())
    stack.deploy()
    assert stack.outputs()["models"]["digits"]["digest"] == _CURRENT
    deployments = {each["metadata"]["name"] for each in stack.list("deployments", "/apis/apps/v1")}
    assert deployments == {"digits-predictor", "digits-transformer"}
    assert stack.predict()["label"]


def test_going_back_is_one_line_that_a_preview_shows(stack: Stack) -> None:
    stack.deploy()
    stack.configure(models={"digits": {"release": _EARLIER[:12]}})
    diff = stack.run("preview", "--diff").stdout
    assert "storageUri" in diff and _EARLIER[:12] in diff
    stack.deploy(models={"digits": {"release": _EARLIER[:12]}})
    assert stack.outputs()["models"]["digits"]["digest"] == _EARLIER
    stack.deploy()


def test_one_beside_a_change_to_knative_is_refused_before_anything_is_deleted(
    stack: Stack,
) -> None:
    stack.deploy()
    before = stack.service()["metadata"]["uid"]
    done = stack.up(mode="Knative", models=_both())
    assert done.returncode != 0
    assert "with a change from mode Standard to Knative" in done.stdout + done.stderr
    assert stack.service()["metadata"]["uid"] == before
    assert stack.predict()["label"]


def test_a_reviewer_reads_that_a_canary_starts_and_what_it_costs(stack: Stack) -> None:
    stack.deploy(models={"digits": {"release": _EARLIER[:12]}})
    stack.configure(models=_both())
    text = comment(stack)
    assert text.splitlines()[1] == "### `test`: `digits` starts a canary with 50% of the traffic"
    assert f"**`{_CURRENT[:12]}` with 50%" in text
    assert "| `digits` canary | – | **`1 × 0.25 CPU, 2 GiB`** |" in text


def test_a_reviewer_reads_that_a_release_is_an_earlier_one(stack: Stack) -> None:
    stack.deploy()
    stack.configure(models={"digits": {"release": _EARLIER[:12]}})
    text = comment(stack)
    # The objects of the release that it leaves are deleted, since this stack retains none.
    sentence, _, deleted = text.splitlines()[1].partition("; ")
    assert sentence == "### `test`: `digits` goes back to an earlier release"
    assert deleted.endswith(" deleted")
    assert "lock does not have" not in text


def test_the_load_tests_page_compares_with_the_release_before(stack: Stack) -> None:
    stack.deploy(models={"digits": {"release": _EARLIER[:12]}})
    stack.deploy()
    perf = stack.outputs()["perf"]["digits"]
    assert perf["report"] == perf["result"].replace("result.json", "report.html")
    text = reports.page(stack.cluster.layout, "digits", perf["result"]).read_text()
    assert _CURRENT[:12] in text
    assert _EARLIER[:12] in text
