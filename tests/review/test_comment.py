"""What the comment tells, first of all in its first sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from release.schema import SHORT_DIGEST
from tests.review import github
from tests.review.examples import (
    BETTER,
    DIGITS,
    EXAMPLES,
    ON_GPU,
    RELEASED,
    Example,
    render,
)
from tests.review.locks import entry, lock
from tests.review.stacks import PROJECT, Pods, Setting, preview, short, stack

SENTENCES = {
    "first-deployment": "`digits` is served for the first time",
    "no-change": "no changes",
    "new-release": "`digits` moves to a new release",
    "incompatible-release": "`digits` moves to a new release with incompatible inputs and lower "
    "accuracy",
    "rollback": "`digits` goes back to an earlier release with lower accuracy",
    "cpu-to-gpu": "`digits` moves from CPU to GPU",
    "replicas-and-cost": "`digits` changes its resources or replicas",
    "http-to-grpc": "`digits` moves from HTTP to gRPC",
    "mode-change": "`digits` changes from `Knative` to `Standard` mode and is taken down and made "
    "anew; 1 replaced",
    "bucket-and-model-removed": "`digits` is no longer served; 4 deleted",
    "failed-preview": "the preview failed: 1 error",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_heading_says_what_happens(name: str) -> None:
    assert render(EXAMPLES[name]).splitlines()[1] == f"### `prod`: {SENTENCES[name]}"


def test_no_change_is_two_lines() -> None:
    assert render(EXAMPLES["no-change"]).count("\n") == 2


def test_a_lost_bucket_is_named_in_red_before_all_else() -> None:
    red = _read("bucket-and-model-removed").red
    assert red[0].startswith("- Bucket kserve-triton-prod-models: deleted")
    assert red[1].startswith("- InferenceService digits: deleted")


def test_a_bucket_that_is_emptied_first_is_said_to_lose_everything() -> None:
    old = stack(DIGITS)
    for state in old.values():
        state["inputs"]["forceDestroy"] = True
    red = github.read(render(Example(preview(old, {})))).red
    assert "with every release and load test result in it" in red[0]


def test_a_moved_bucket_is_a_lost_one() -> None:
    moved = preview(stack(DIGITS), stack(DIGITS, location="US"))
    red = github.read(render(Example(moved))).red
    assert red[0].startswith("- Bucket kserve-triton-prod-models: replaced")


def test_what_is_protected_is_said_to_be() -> None:
    old = stack(DIGITS)
    for state in old.values():
        state["protect"] = True
    assert "protected" in github.read(render(Example(preview(old, {})))).red[0]


def test_objects_that_stay_in_the_bucket_are_no_loss() -> None:
    text = render(EXAMPLES["new-release"])
    assert "Replaced or deleted" not in text
    assert "2 resources no longer managed, left in place." in text


def test_objects_that_go_are_counted_by_version() -> None:
    moved = preview(stack(DIGITS, retain=False), stack(RELEASED, retain=False))
    red = github.read(render(Example(moved, BETTER))).red
    assert red[0] == f"- 2 objects of digits/{DIGITS.version}: deleted from the bucket"


def test_jobs_and_release_maps_made_anew_are_no_alarm() -> None:
    text = render(EXAMPLES["http-to-grpc"])
    assert "Resources: 1 updated. Routine: 4" in text
    assert "Replaced or deleted" not in text


def test_a_rule_of_the_engine_with_three_steps_is_one_replacement() -> None:
    document = EXAMPLES["mode-change"].preview
    (step,) = (each for each in document["steps"] if each["op"] == "replace")
    parts = [
        {"op": "create-replacement", "urn": step["urn"], "newState": step["newState"]},
        {"op": "delete-replaced", "urn": step["urn"], "oldState": step["oldState"]},
    ]
    longer = document | {"steps": [*parts, *document["steps"]]}
    assert render(Example(longer)) == render(EXAMPLES["mode-change"])


def test_lower_accuracy_is_marked_with_its_difference() -> None:
    assert "🔻 **−1.20 points, lower**" in _row("incompatible-release", "accuracy")[3]


def test_higher_accuracy_is_not_marked() -> None:
    assert _row("new-release", "accuracy")[3] == "+0.83 points"


def test_a_release_that_dev_has_not_proven_is_marked() -> None:
    assert _row("incompatible-release", "load test on dev")[2:] == [
        "**none**",
        "⚠️ not proven on dev",
    ]


def test_tensors_are_shown_only_where_they_change() -> None:
    assert _tables("new-release", "tensor") == []
    ((_, row, _),) = _tables("incompatible-release", "tensor")
    assert row[-1] == "❌ **incompatible**"


@pytest.mark.parametrize(
    ("dims", "note"), [([3, -1, -1], "takes more than before"), ([3, 32], "❌ **incompatible**")]
)
def test_an_input_breaks_only_what_it_no_longer_takes(dims: list[int], note: str) -> None:
    freer = entry(RELEASED.digest, inputs=[{"name": "INPUT__0", "dtype": "FP32", "dims": dims}])
    moved = preview(stack(DIGITS), stack(RELEASED))
    tables = github.read(render(Example(moved, lock(digits=[freer])))).tables
    assert next(table for table in tables if table[0][0] == "tensor")[1][-1] == note


def test_the_diff_of_the_config_is_between_the_versions() -> None:
    ((_, lines),) = (
        each for each in _read("cpu-to-gpu").fences if any("KIND_GPU" in line for line in each[1])
    )
    assert [line for line in lines if line[0] in "+-"] == ["-  kind: KIND_CPU", "+  kind: KIND_GPU"]


def test_the_release_deployed_counts_more_than_the_one_pinned() -> None:
    # The base has moved on, but this stack still serves what came before.
    row = _fact(render(Example(preview(stack(DIGITS), stack(RELEASED)), BETTER, BETTER)), "release")
    assert row[1] == f"`{DIGITS.digest[:SHORT_DIGEST]}`"


def test_a_release_that_the_lock_does_not_pin_is_called_out() -> None:
    text = render(Example(preview(stack(DIGITS), stack(RELEASED))))
    assert "deploys a release that this branch's lock does not pin" in text
    assert _fact(text, "accuracy")[2] == "**not in the lock**"


def test_many_models_are_counted_in_the_heading() -> None:
    some = [Setting(name=f"model-{number}", digest=short("x")) for number in range(5)]
    heading = render(Example(preview({}, stack(*some)))).splitlines()[1]
    assert heading == "### `prod`: 5 models change"


def test_a_preview_without_a_summary_did_not_end() -> None:
    document = preview(stack(DIGITS), stack(ON_GPU)) | {"changeSummary": {}}
    assert "the preview failed: it did not come to its end" in render(Example(document))


def test_a_warning_alone_is_shown() -> None:
    warning = {"severity": "warning", "message": "warning: old plugin\n"}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), warning)))
    assert text.splitlines()[1] == "### `prod`: no changes"
    assert "\n! warning: old plugin\n" in text


def test_where_the_cli_found_its_plugins_is_not() -> None:
    said = "warning: using pulumi-resource-gcp from $PATH at /somewhere/pulumi-resource-gcp\n"
    warning = {"severity": "warning", "message": said}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), warning)))
    assert text == render(EXAMPLES["no-change"])


def test_what_google_repeats_of_labels_is_not() -> None:
    document = preview(stack(DIGITS), stack(ON_GPU))
    expected = render(Example(document))
    changed = next(each for each in document["steps"] if "detailedDiff" in each)
    for echo in ("effectiveLabels.team", "pulumiLabels"):
        changed["detailedDiff"][echo] = {"kind": "update", "inputDiff": False}
    assert render(Example(document)) == expected


def test_what_only_informs_is_not() -> None:
    info = {"severity": "info", "message": "hello"}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), info)))
    assert text == render(EXAMPLES["no-change"])


def test_a_transformer_beside_triton_is_seen() -> None:
    moved = preview(stack(DIGITS), stack(replace(DIGITS, collocated=True)))
    assert "moves from separate placement to collocated" in render(Example(moved))


def test_only_routine_changes_say_so() -> None:
    old = stack(DIGITS)
    new = {urn: state for urn, state in old.items() if "batch/v1:Job" not in urn}
    heading = render(Example(preview(old, new))).splitlines()[1]
    assert heading == "### `prod`: only verification and load test run anew"


def test_components_are_no_resources() -> None:
    urn = f"{PROJECT}kserve-triton:index:Inference::digits"
    component = {"urn": urn, "custom": False, "type": "kserve-triton:index:Inference", "inputs": {}}
    assert render(Example(preview({urn: component}, {}))) == render(EXAMPLES["no-change"])


def test_replicas_alone_show_no_config() -> None:
    assert "config.pbtxt" not in render(EXAMPLES["replicas-and-cost"])


def test_a_gpu_without_a_price_is_named() -> None:
    text = render(Example(preview(stack(DIGITS), stack(replace(ON_GPU, gpu="nvidia-b300")))))
    assert "Not known: `no price for nvidia-b300`." in text
    assert "22 → **?**" in text


def test_a_pod_that_grows_is_bold() -> None:
    grown = replace(DIGITS, predictor=Pods(cpu="2", high=3))
    text = render(Example(preview(stack(DIGITS), stack(grown))))
    assert "| `1–3 × 1 CPU, 2 GiB` | **`1–3 × 2 CPU, 2 GiB`** |" in text


def _read(name: str) -> github.Comment:
    return github.read(render(EXAMPLES[name]))


def _tables(name: str, head: str) -> list[list[list[str]]]:
    return [table for table in _read(name).tables if table[0][0] == head]


def _row(name: str, label: str) -> list[str]:
    return _fact(render(EXAMPLES[name]), label)


def _fact(text: str, label: str) -> list[str]:
    rows: list[Any] = [row for table in github.read(text).tables for row in table]
    return next(list(row) for row in rows if row[0] == label)
