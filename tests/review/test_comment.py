"""What the comment shows, above all in its first sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from release.schema import SHORT_DIGEST
from release.stacks import SERVED_MODEL
from review.preview import INFERENCE_SERVICE
from tests.review import github
from tests.review.examples import (
    BETTER,
    CANARY,
    DIGITS,
    EXAMPLES,
    FIRST,
    ON_GPU,
    RELEASED,
    SECOND,
    Example,
    render,
)
from tests.review.locks import entry, handler, lock
from tests.review.stacks import PROJECT, Pods, Setting, preview, short, stack

SENTENCES = {
    "first-deployment": "`digits` is served for the first time",
    "no-change": "no changes",
    "new-release": "`digits` moves to a new release",
    "new-handler": "`digits` moves to a new release",
    "incompatible-release": "`digits` moves to a new release with incompatible inputs",
    "rollback": "`digits` goes back to an earlier release",
    "canary-started": "`digits` starts a canary with 20% of the traffic",
    "canary-promoted": "`digits` moves to the release of its canary",
    "cpu-to-gpu": "`digits` moves from CPU to GPU",
    "replicas-and-cost": "`digits` changes its resources or replicas",
    "http-to-grpc": "`digits` moves from HTTP to gRPC",
    "mode-change": "`digits` changes from Knative to Standard mode and is deleted and created "
    "again; 1 replaced",
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


def test_a_bucket_with_force_destroy_loses_everything() -> None:
    old = stack(DIGITS)
    for state in old.values():
        state["inputs"]["forceDestroy"] = True
    red = github.read(render(Example(preview(old, {})))).red
    assert "with every release and load test result in it" in red[0]


def test_a_bucket_that_moves_is_replaced() -> None:
    moved = preview(stack(DIGITS), stack(DIGITS, location="US"))
    red = github.read(render(Example(moved))).red
    assert red[0].startswith("- Bucket kserve-triton-prod-models: replaced")


def test_a_protected_resource_is_marked() -> None:
    old = stack(DIGITS)
    for state in old.values():
        state["protect"] = True
    assert "protected" in github.read(render(Example(preview(old, {})))).red[0]


def test_objects_that_stay_in_the_bucket_are_not_listed_as_deleted() -> None:
    text = render(EXAMPLES["new-release"])
    assert "Replaced or deleted" not in text
    assert "2 resources no longer managed, not deleted." in text


def test_deleted_objects_are_counted_by_folder() -> None:
    moved = preview(stack(DIGITS, retain=False), stack(RELEASED, retain=False))
    red = github.read(render(Example(moved, BETTER))).red
    assert red[0] == f"- 2 objects of digits/{DIGITS.version}: deleted from the bucket"


def test_new_jobs_and_release_maps_are_routine() -> None:
    text = render(EXAMPLES["http-to-grpc"])
    assert "Resources: 1 updated. Routine: 4" in text
    assert "Replaced or deleted" not in text


def test_a_compilation_is_named_among_the_routine_ones() -> None:
    new = stack(DIGITS)
    job = next(urn for urn in new if "::verify-" in urn)
    compiled = {job.replace("::verify-", "::compile-"): new[job]}
    text = render(Example(preview(stack(DIGITS), new | compiled)))
    assert "Routine: 1 (compilation, verification, load test, release ConfigMaps)." in text


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    document = EXAMPLES["mode-change"].preview
    (step,) = (each for each in document["steps"] if each["op"] == "replace")
    parts = [
        {"op": "create-replacement", "urn": step["urn"], "newState": step["newState"]},
        {"op": "delete-replaced", "urn": step["urn"], "oldState": step["oldState"]},
    ]
    longer = document | {"steps": [*parts, *document["steps"]]}
    assert render(Example(longer)) == render(EXAMPLES["mode-change"])


def test_metrics_are_shown_with_their_difference_and_no_judgement() -> None:
    assert _row("incompatible-release", "`accuracy`")[1:] == ["0.9639", "**0.9519**", "−0.012"]
    assert _row("new-release", "`accuracy`")[3] == "+0.0083"


def test_a_metric_that_only_one_release_has_has_no_difference() -> None:
    assert _row("new-handler", "`f1`")[1:] == ["–", "**0.91**", ""]


def test_a_handlers_files_and_parameters_are_compared_one_by_one() -> None:
    assert _row("new-handler", "handler")[1:] == [
        "2 files",
        "2 files",
        "V1 requests and predictions may change",
    ]
    notes = {
        path: _row("new-handler", f"handler's `{path}`")[3]
        for path in ("handler.py", "words.txt", "words.json")
    }
    assert notes == {"handler.py": "changed", "words.txt": "removed", "words.json": "added"}
    assert _row("new-handler", "handler's parameter `lower`")[1:3] == [
        "`true`",
        "**`false`**",
    ]


def test_many_changed_files_of_a_handler_are_counted() -> None:
    many = handler(**{f"{n}.txt": str(n) for n in range(50)})
    text = render(_moved_to(entry(SECOND, handler=many)))
    assert _fact(text, "handler's other files")[2] == "**30 more change**"
    assert text.count("| added |") == 20


@pytest.mark.parametrize(
    ("changes", "label", "old", "new"),
    [
        ({"format": "onnx"}, "format", "torchscript", "onnx"),
        ({"held_out": 1000}, "held out", "360", "1,000"),
        (
            {"provenance": {"data": "mine"}},
            "provenance `data`",
            "`scikit-learn's digits`",
            "`mine`",
        ),
        ({"image": None}, "image", None, "–"),
    ],
)
def test_what_else_a_release_changes_has_a_row(
    changes: dict[str, Any], label: str, old: str | None, new: str
) -> None:
    row = _fact(render(_moved_to(entry(SECOND, **changes))), label)
    assert row[2] == f"**{new}**"
    assert old is None or row[1] == old


def test_labels_are_compared_for_each_output() -> None:
    outputs = [{"name": "OUTPUT__0", "dtype": "FP32", "dims": [2], "labels": ["cat", "dog"]}]
    row = _fact(render(_moved_to(entry(SECOND, outputs=outputs))), "labels of `OUTPUT__0`")
    assert row[2] == "**`cat, dog`**"


def test_requests_without_a_batch_dimension_are_other_requests() -> None:
    text = render(_moved_to(entry(SECOND, batching=False, image=None)))
    assert "with incompatible inputs" in text
    assert _fact(text, "batches")[1:3] == ["yes", "**no**"]


def _moved_to(new: dict[str, Any]) -> Example:
    moved = preview(stack(DIGITS), stack(RELEASED))
    return Example(moved, lock(digits=[new, entry(FIRST)]))


def test_a_release_that_dev_has_not_proven_is_marked() -> None:
    assert _row("incompatible-release", "load test on `dev`")[2:] == [
        "**none**",
        "⚠️ not proven on `dev`",
    ]


@pytest.mark.parametrize(
    ("requires", "proven", "verdict", "note"),
    [
        ("staging", "staging", "**pass**", ""),
        ("staging", "dev", "none", "⚠️ not proven on `staging`"),
        (None, "dev", "**pass**", ""),
    ],
)
def test_the_pass_that_counts_is_that_of_the_stack_which_promotion_requires(
    requires: str | None, proven: str, verdict: str, note: str
) -> None:
    new = replace(RELEASED, requires=requires)
    locked = lock(
        digits=[entry(SECOND, proven={proven: {"verdict": "pass"}}), entry(FIRST, proven={})]
    )
    text = render(Example(preview(stack(DIGITS), stack(new)), locked))
    row = _fact(text, f"load test on `{requires or 'dev'}`")
    assert row[1:] == ["none", verdict, note]


def test_a_canary_needs_the_pass_of_the_stack_which_promotion_requires() -> None:
    canary = replace(CANARY, requires="staging")
    text = render(Example(preview(stack(DIGITS), stack(canary)), BETTER, BETTER))
    assert _fact(text, "canary")[3] == "⚠️ not proven on `staging`"


def test_tensors_are_shown_only_where_they_change() -> None:
    assert _tables("new-release", "tensor") == []
    ((_, row, _),) = _tables("incompatible-release", "tensor")
    assert row[-1] == "❌ **incompatible**"


@pytest.mark.parametrize(
    ("dims", "note"), [([3, -1, -1], "takes more than before"), ([3, 32], "❌ **incompatible**")]
)
def test_an_input_is_incompatible_if_it_no_longer_takes_the_old_shape(
    dims: list[int], note: str
) -> None:
    freer = entry(RELEASED.digest, inputs=[{"name": "INPUT__0", "dtype": "FP32", "dims": dims}])
    moved = preview(stack(DIGITS), stack(RELEASED))
    tables = github.read(render(Example(moved, lock(digits=[freer])))).tables
    assert next(table for table in tables if table[0][0] == "tensor")[1][-1] == note


def test_the_diff_of_the_config_is_between_the_versions() -> None:
    ((_, lines),) = (
        each for each in _read("cpu-to-gpu").fences if any("KIND_GPU" in line for line in each[1])
    )
    assert [line for line in lines if line[0] in "+-"] == ["-  kind: KIND_CPU", "+  kind: KIND_GPU"]


def test_the_old_release_is_the_deployed_one_not_the_pinned_one() -> None:
    # The base has moved on, but this stack still serves what came before.
    row = _fact(render(Example(preview(stack(DIGITS), stack(RELEASED)), BETTER, BETTER)), "release")
    assert row[1] == f"`{DIGITS.digest[:SHORT_DIGEST]}`"


def test_a_release_that_the_lock_does_not_have_has_a_warning() -> None:
    text = render(Example(preview(stack(DIGITS), stack(RELEASED))))
    assert "deploys a release that this branch's lock does not have" in text
    assert _fact(text, "`accuracy`")[2] == "**not in the lock**"


def test_a_rollback_by_the_stacks_file_needs_no_change_of_the_lock() -> None:
    text = render(Example(preview(stack(RELEASED), stack(DIGITS)), BETTER, BETTER))
    assert text.splitlines()[1] == "### `prod`: `digits` goes back to an earlier release"
    assert "lock does not have" not in text


def test_the_heading_counts_many_models() -> None:
    some = [Setting(name=f"model-{number}", digest=short("x")) for number in range(5)]
    heading = render(Example(preview({}, stack(*some)))).splitlines()[1]
    assert heading == "### `prod`: 5 models change"


def test_a_preview_without_a_summary_failed() -> None:
    document = preview(stack(DIGITS), stack(ON_GPU)) | {"changeSummary": {}}
    text = render(Example(document))
    assert "the preview failed: it stopped early" in text
    assert "The changes below are incomplete" in text


def test_the_errors_of_a_failed_preview_come_before_its_changes() -> None:
    error = {"severity": "error", "message": "error: no permission\n"}
    text = render(Example(preview(stack(DIGITS, retain=False), {}, error)))
    assert text.index("#### Errors and warnings") < text.index("#### Replaced or deleted")


def test_a_warning_alone_is_shown() -> None:
    warning = {"severity": "warning", "message": "warning: old plugin\n"}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), warning)))
    assert text.splitlines()[1] == "### `prod`: no changes"
    assert "\n! warning: old plugin\n" in text


def test_a_warning_about_a_plugins_place_is_left_out() -> None:
    message = "warning: using pulumi-resource-gcp from $PATH at /somewhere/pulumi-resource-gcp\n"
    warning = {"severity": "warning", "message": message}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), warning)))
    assert text == render(EXAMPLES["no-change"])


def test_googles_copies_of_labels_are_left_out() -> None:
    document = preview(stack(DIGITS), stack(ON_GPU))
    expected = render(Example(document))
    changed = next(each for each in document["steps"] if each.get("detailedDiff"))
    for copy in ("effectiveLabels.team", "pulumiLabels"):
        changed["detailedDiff"][copy] = {"kind": "update", "inputDiff": False}
    assert render(Example(document)) == expected


def test_an_informing_message_is_left_out() -> None:
    info = {"severity": "info", "message": "hello"}
    text = render(Example(preview(stack(DIGITS), stack(DIGITS), info)))
    assert text == render(EXAMPLES["no-change"])


def test_a_change_of_placement_is_in_the_heading() -> None:
    moved = preview(stack(DIGITS), stack(replace(DIGITS, collocated=True)))
    assert "moves from separate placement to collocated" in render(Example(moved))


def test_a_preview_of_only_routine_changes_is_named_as_such() -> None:
    old = stack(DIGITS)
    new = {urn: state for urn, state in old.items() if "batch/v1:Job" not in urn}
    heading = render(Example(preview(old, new))).splitlines()[1]
    assert heading == "### `prod`: only verification and load test run again"


def test_components_are_not_counted_as_resources() -> None:
    urn = f"{PROJECT}kserve-triton:index:Monitoring::monitoring"
    kind = "kserve-triton:index:Monitoring"
    component = {"urn": urn, "custom": False, "type": kind, "inputs": {}}
    assert render(Example(preview({urn: component}, {}))) == render(EXAMPLES["no-change"])


def test_jobs_and_config_maps_outside_of_a_model_are_not_routine() -> None:
    document = preview(stack(DIGITS), stack(replace(DIGITS, grpc=True)))
    text = json.dumps(document).replace("index:ServedModel$", "index:Namespace$")
    assert "Resources: 2 created, 1 updated, 2 deleted." in render(Example(json.loads(text)))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (CANARY, DIGITS, "ends its canary"),
        (
            CANARY,
            replace(CANARY, canary=(SECOND, 50)),
            "gives its canary 50% of the traffic instead of 20%",
        ),
        (
            CANARY,
            replace(CANARY, canary=(short("third"), 20)),
            "starts another canary with 20% of the traffic",
        ),
        (
            DIGITS,
            replace(CANARY, grpc=True),
            "starts a canary with 20% of the traffic and moves from HTTP to gRPC",
        ),
    ],
)
def test_what_happens_to_a_canary_is_in_the_heading(
    old: Setting, new: Setting, sentence: str
) -> None:
    heading = render(Example(preview(stack(old), stack(new)))).splitlines()[1]
    assert heading == f"### `prod`: `digits` {sentence}"


def test_a_canary_is_a_row_of_its_model() -> None:
    row = _row("canary-started", "canary")
    assert row[1:3] == ["–", f"**`{SECOND[:SHORT_DIGEST]}` with 20%, `accuracy` 0.9722**"]
    assert row[3] == ""


@pytest.mark.parametrize(
    ("mode", "low", "rows"),
    [
        # Under Knative a revision of its own, which scales as the one before.
        ("Knative", 4, {"canary": ["–", "4–9"]}),
        # A fixed number of pods in Standard mode, which KServe takes from the others.
        ("Standard", 4, {"predictor": ["4–9", "3–9"], "canary": ["–", "1"]}),
        ("Standard", 9, {"predictor": ["9", "7"], "canary": ["–", "2"]}),
        ("Standard", 1, {"canary": ["–", "1"]}),
    ],
)
def test_a_canarys_pods_have_a_cost(mode: str, low: int, rows: dict[str, list[str]]) -> None:
    stable = replace(DIGITS, mode=mode, predictor=Pods(low=low, high=9 if low > 1 else 1))
    canary = replace(stable, canary=(SECOND, 20))
    text = render(Example(preview(stack(stable), stack(canary)), BETTER, BETTER))
    for name, expected in rows.items():
        cells = _fact(text, f"`digits` {name}")
        pods = [cell.strip("*`").partition(" ×")[0] for cell in cells[1:3]]
        assert pods == expected
        assert "→" in cells[3]


def test_a_canary_of_the_stable_release_has_no_pods_of_its_own() -> None:
    given_up = replace(DIGITS, canary=(FIRST, 0))
    text = render(Example(preview(stack(DIGITS), stack(given_up))))
    assert "Resources and cost" not in text


def test_a_canary_that_dev_has_not_proven_is_marked() -> None:
    unproven = lock(digits=[entry(SECOND, proven={}), entry(FIRST)])
    text = render(Example(preview(stack(DIGITS), stack(CANARY)), unproven, unproven))
    assert _fact(text, "canary")[3] == "⚠️ not proven on `dev`"


def test_a_canary_that_the_lock_does_not_have_has_a_warning() -> None:
    text = render(Example(preview(stack(DIGITS), stack(CANARY))))
    assert "deploys a release that this branch's lock does not have" in text


def test_an_earlier_release_of_the_lock_has_no_warning() -> None:
    text = render(Example(preview(stack(RELEASED), stack(DIGITS)), BETTER, BETTER))
    assert "`digits` goes back to an earlier release" in text
    assert "this branch's lock does not have" not in text


def test_an_inference_service_that_changes_without_its_component_is_updated() -> None:
    changed = replace(DIGITS, env=(("OMP_NUM_THREADS", "2"),))
    text = render(Example(preview(stack(DIGITS), stack(changed))))
    assert text.splitlines()[1] == "### `prod`: `digits` is updated"
    assert '+ spec.predictor.model.env: [{"name": "OMP_NUM_THREADS", "value": "2"}]' in text
    assert "#### Model" not in text


def test_a_model_without_an_inference_service_is_served_for_the_first_time() -> None:
    old = {urn: state for urn, state in stack(DIGITS).items() if INFERENCE_SERVICE not in urn}
    heading = render(Example(preview(old, stack(DIGITS)))).splitlines()[1]
    assert heading == "### `prod`: `digits` is served for the first time"


@pytest.mark.parametrize("side", ["oldState", "newState"])
@pytest.mark.parametrize("inputs", [{}, {"release": 1}, {"device": "abacus"}])
def test_inputs_that_are_not_a_models_are_left_out(side: str, inputs: dict[str, Any]) -> None:
    document = json.loads(json.dumps(EXAMPLES["cpu-to-gpu"].preview))
    (component,) = (each for each in document["steps"] if f"::{SERVED_MODEL}::" in each["urn"])
    component[side]["inputs"] = component[side]["inputs"] | inputs if inputs else {}
    text = render(Example(document))
    assert text.splitlines()[1] == "### `prod`: `digits` is updated"
    head, device = (_fact(text, label) for label in ("", "device"))
    shown = {"oldState": ["new", "GPU"], "newState": ["old", "CPU"]}
    assert [head[1], device[1]] == shown[side]


def test_a_change_of_replicas_shows_no_config() -> None:
    assert "config.pbtxt" not in render(EXAMPLES["replicas-and-cost"])


def test_a_gpu_without_a_price_is_named() -> None:
    text = render(Example(preview(stack(DIGITS), stack(replace(ON_GPU, gpu="nvidia-b300")))))
    assert "No price for `nvidia-b300`." in text
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
