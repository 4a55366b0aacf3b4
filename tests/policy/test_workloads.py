"""Images are pinned, containers are within limits, GPUs have a bound."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.policy.resources import (
    DIGEST,
    INFERENCE_SERVICE,
    JOB,
    REMOVED,
    broken,
    changed,
    container,
    inference_service,
    job,
)

MODEL = "spec/predictor/model"
BESIDE = "spec/transformer/containers/0"
UNPINNED = [
    "registry.example/triton:26.05-py3",
    "registry.example/triton",
    "registry.example/triton@sha256:0123",
    "registry.example/triton" + DIGEST.upper(),
    "registry.example/triton" + DIGEST + "0",
    DIGEST,
    "",
]


def test_a_service_and_a_job_that_keep_every_rule_are_allowed() -> None:
    assert broken(INFERENCE_SERVICE, inference_service()) == {}
    assert broken(JOB, job()) == {}


@pytest.mark.parametrize("where", [MODEL, BESIDE])
@pytest.mark.parametrize("image", UNPINNED)
def test_an_image_without_a_digest_is_seen(where: str, image: str) -> None:
    found = broken(INFERENCE_SERVICE, changed(inference_service(), f"{where}/image", image))
    assert list(found) == ["images-by-digest"]


@given(st.text(st.characters(exclude_characters="@"), max_size=80))
def test_no_tag_passes_for_a_digest(image: str) -> None:
    assert "images-by-digest" in broken(JOB, job(containers=[container(image=image)]))


@given(
    st.from_regex(r"[a-z]{1,9}\.example(/[a-z0-9-]{1,9}){1,3}(:[a-z0-9.-]{1,9})?", fullmatch=True)
)
def test_any_name_with_a_digest_is_pinned(name: str) -> None:
    assert broken(JOB, job(containers=[container(image=name + DIGEST)])) == {}


def test_a_container_of_a_pod_needs_an_image_of_its_own() -> None:
    (message,) = broken(JOB, job(containers=[container(image=None)]))["images-by-digest"]
    assert message.startswith("spec.template.spec.containers[main]: image unset is not pinned")


def test_a_runtime_version_alone_is_a_tag() -> None:
    """KServe would take the runtime's image with it, whatever that is on the day."""
    chosen = changed(inference_service(), f"{MODEL}/image", REMOVED)
    (message,) = broken(INFERENCE_SERVICE, chosen)["images-by-digest"]
    assert message.startswith("spec.predictor.model: no image is set, the tag")


def test_a_runtime_that_chooses_by_itself_is_seen() -> None:
    chosen = changed(inference_service(), f"{MODEL}/image", REMOVED)
    chosen = changed(chosen, f"{MODEL}/runtimeVersion", REMOVED)
    (message,) = broken(INFERENCE_SERVICE, chosen)["images-by-digest"]
    assert "no image is set, KServe's runtime decides" in message


@pytest.mark.parametrize("where", [MODEL, BESIDE])
@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("resources", "cpu and memory"),
        ("resources/limits", "cpu and memory"),
        ("resources/limits/cpu", "cpu"),
        ("resources/limits/memory", "memory"),
    ],
)
def test_a_container_without_limits_is_seen(where: str, path: str, missing: str) -> None:
    properties = inference_service()
    # Else the container would ask for no GPU any more; that is another rule's.
    properties["spec"]["predictor"]["model"]["resources"]["requests"] = {"nvidia.com/gpu": "1"}
    found = broken(INFERENCE_SERVICE, changed(properties, f"{where}/{path}", REMOVED))
    (message,) = found.pop("container-limits")
    assert f": no limit of {missing}; " in message
    assert found == {}


def test_the_message_names_the_container() -> None:
    loose = job(containers=[container("a"), container("b", resources={})])
    (message,) = broken(JOB, loose)["container-limits"]
    assert message.startswith("spec.template.spec.containers[b]: ")


@pytest.mark.parametrize("value", [REMOVED, None, 0, 0.0, -1, "many"])
def test_a_gpu_service_without_a_bound_is_seen(value: Any) -> None:
    unbound = changed(inference_service(), "spec/predictor/maxReplicas", value)
    assert list(broken(INFERENCE_SERVICE, unbound)) == ["gpus-bounded"]


@given(st.integers(1, 100), st.integers(1, 100), st.none() | st.integers(0, 100), st.booleans())
def test_replicas_are_within_the_maximum_with_the_canary_counted(
    replicas: int, maximum: int, canary: int | None, as_the_engine_has_it: bool
) -> None:
    number = float if as_the_engine_has_it else int
    made = changed(inference_service(), "spec/predictor/maxReplicas", number(replicas))
    if canary is not None:
        made = changed(made, "spec/predictor/canaryTrafficPercent", number(canary))
    revisions = 1 if canary in (None, 100) else 2
    settings = {"gpus-bounded": {"maximum": number(maximum)}}
    found = broken(INFERENCE_SERVICE, made, settings=settings)
    assert list(found) == (["gpus-bounded"] if replicas * revisions > maximum else [])


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 8), st.integers(1, 60))
def test_the_pods_of_every_template_are_counted_with_all_their_gpus(
    stable: int, canary: int, gpus: int, maximum: int
) -> None:
    made = changed(inference_service(), "spec/predictor/maxReplicas", stable)
    beside = {"minReplicas": canary, "model": on_gpus(gpus)}
    made["spec"]["predictor"]["model"] = on_gpus(1)
    made["spec"]["canary"] = [{"trafficPercent": 10, "predictor": beside}]
    found = broken(INFERENCE_SERVICE, made, settings={"gpus-bounded": {"maximum": maximum}})
    assert list(found) == (["gpus-bounded"] if stable + canary * gpus > maximum else [])


def on_gpus(count: int) -> dict[str, Any]:
    limits = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": str(count)}
    return container(resources={"limits": limits})


def test_a_canary_in_standard_mode_is_held_to_every_rule() -> None:
    made = inference_service()
    loose = {"name": "evil", "image": "evil:latest", "resources": {"limits": {"nvidia.com/gpu": 8}}}
    beside = {"name": "canary", "minReplicas": 100, "model": loose}
    made["spec"]["canary"] = [{"trafficPercent": 1, "predictor": beside}]
    found = broken(INFERENCE_SERVICE, made)
    assert list(found) == ["images-by-digest", "gpus-bounded"]
    (message,) = found["gpus-bounded"]
    assert message.startswith(
        "808 GPUs at most (spec.predictor 8 pods of 1, spec.canary[0].predictor 100 pods of 8); "
        "allowed: 16 in all; "
    )


def test_a_canary_has_what_it_does_not_set_from_the_predictor() -> None:
    made = inference_service()
    beside = {"name": "canary", "minReplicas": 100, "model": {"storageUri": "gs://models/next"}}
    made["spec"]["canary"] = [{"trafficPercent": 1, "predictor": beside}]
    (message,) = broken(INFERENCE_SERVICE, made)["gpus-bounded"]
    assert "spec.canary[0].predictor 100 pods of 1" in message
    made["spec"]["canary"][0]["predictor"]["minReplicas"] = 8
    assert broken(INFERENCE_SERVICE, made) == {}


def workload(**spec: Any) -> dict[str, Any]:
    """With a pod of one GPU."""
    return {"spec": spec | {"template": {"spec": {"containers": [on_gpus(1)]}}}}


@pytest.mark.parametrize(
    ("token", "properties", "most"),
    [
        ("kubernetes:core/v1:Pod", {"spec": {"containers": [on_gpus(1)]}}, 1),
        ("kubernetes:apps/v1:Deployment", workload(), 1),
        ("kubernetes:apps/v1:Deployment", workload(replicas=5.0), 5),
        ("kubernetes:apps/v1:StatefulSet", workload(replicas=3), 3),
        (JOB, workload(parallelism=4), 4),
        ("kubernetes:batch/v1:CronJob", {"spec": {"jobTemplate": workload(parallelism=2)}}, 2),
    ],
)
def test_the_pods_of_other_workloads_are_counted(
    token: str, properties: dict[str, Any], most: int
) -> None:
    def found(maximum: int) -> list[str]:
        return list(broken(token, properties, settings={"gpus-bounded": {"maximum": maximum}}))

    assert found(most) == []
    assert most == 1 or found(most - 1) == ["gpus-bounded"]


@pytest.mark.parametrize(
    ("scale", "expected"), [(None, True), ("0", True), ("many", True), ("4", False), ("17", True)]
)
def test_a_knative_service_on_gpus_has_a_bound(scale: str | None, expected: bool) -> None:
    made = workload()
    if scale is not None:
        annotations = {"autoscaling.knative.dev/max-scale": scale}
        made["spec"]["template"]["metadata"] = {"annotations": annotations}
    found = broken("kubernetes:serving.knative.dev/v1:Service", made)
    assert ("gpus-bounded" in found) == expected


def test_a_daemon_set_on_gpus_has_no_bound() -> None:
    assert list(broken("kubernetes:apps/v1:DaemonSet", workload())) == ["gpus-bounded"]


def test_the_nodes_of_a_replica_are_counted() -> None:
    made = changed(inference_service(), "spec/predictor/maxReplicas", 4)
    workers = {"pipelineParallelSize": 3, "containers": [on_gpus(1)]}
    made["spec"]["predictor"]["workerSpec"] = workers
    assert broken(INFERENCE_SERVICE, made) == {}
    over = {"gpus-bounded": {"maximum": 15}}
    assert list(broken(INFERENCE_SERVICE, made, settings=over)) == ["gpus-bounded"]


def test_gpus_that_kserve_gives_to_workers_are_counted() -> None:
    made = changed(inference_service(), "spec/predictor/maxReplicas", 1)
    made["spec"]["predictor"]["workerSpec"] = {"pipelineParallelSize": 2, "tensorParallelSize": 8}
    (message,) = broken(INFERENCE_SERVICE, made)["gpus-bounded"]
    assert message.startswith(
        "17 GPUs at most (spec.predictor 1 pods of 1, spec.predictor.workerSpec 2 pods of 8); "
    )


def test_sixteen_replicas_are_allowed_where_nothing_else_is_said() -> None:
    at_bound = changed(inference_service(), "spec/predictor/maxReplicas", 16)
    assert broken(INFERENCE_SERVICE, at_bound) == {}
    over = changed(inference_service(), "spec/predictor/maxReplicas", 17)
    assert list(broken(INFERENCE_SERVICE, over)) == ["gpus-bounded"]


@pytest.mark.parametrize("amounts", [{}, {"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": 0.0}])
def test_without_a_gpu_there_is_no_bound(amounts: dict[str, Any]) -> None:
    limits = {"cpu": "1", "memory": "1Gi"} | amounts
    made = changed(inference_service(), f"{MODEL}/resources/limits", limits)
    assert broken(INFERENCE_SERVICE, changed(made, "spec/predictor/maxReplicas", 100)) == {}


@pytest.mark.parametrize(
    "spec",
    [
        {"model": container(resources={"requests": {"nvidia.com/gpu": 1}})},
        {"model": container(resources={"limits": {"nvidia.com/mig-1g.5gb": "1"}})},
        {"containers": [container(resources={"limits": {"nvidia.com/gpu": "1"}})]},
        {
            "model": container(),
            "workerSpec": {"containers": [container(resources={"limits": {"nvidia.com/gpu": 2}})]},
        },
    ],
    ids=["requested", "a slice", "a container", "a worker"],
)
def test_a_gpu_is_seen_wherever_it_is_asked_for(spec: dict[str, Any]) -> None:
    found = broken(INFERENCE_SERVICE, {"spec": {"predictor": spec}})
    assert "gpus-bounded" in found
