"""What KServe and GKE offer beside the switches: each setting by what it makes."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from tests.infra.program import Recorder, run

ISVC = "InferenceService"
PODS = {"serving.kserve.io/inferenceservice": "digits", "component": "predictor"}
DIGEST = "sha256:" + "a" * 64


def predictor(changes: dict[str, Any], stack: str = "local") -> dict[str, Any]:
    return dict(run(stack, changes).one(ISVC)["spec"]["predictor"])


def refused(changes: dict[str, Any]) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        run("local", changes)
    return str(caught.value)


def test_accelerator_spot_and_sharing_are_gkes_labels_and_taints() -> None:
    wanted = {
        "accelerator": "nvidia-l4",
        "spot": True,
        "gpuSharing": "time-sharing",
        "gpuClients": 4,
    }
    found = predictor({"device": "gpu", "predictor": wanted})
    assert found["nodeSelector"] == {
        "cloud.google.com/gke-accelerator": "nvidia-l4",
        "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
        "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
        "cloud.google.com/gke-spot": "true",
    }
    keys = {taint["key"] for taint in found["tolerations"]}
    assert keys == {"nvidia.com/gpu", "cloud.google.com/gke-spot"}
    on_cpu = predictor({"predictor": wanted})
    assert on_cpu["nodeSelector"] == {"cloud.google.com/gke-spot": "true"}


def test_a_shared_gpu_is_one() -> None:
    wanted = {"gpuSharing": "mps", "gpus": 2}
    assert "predictor.gpus: found 2 with gpuSharing" in refused({"predictor": wanted})


def test_pods_are_spread_and_knative_allows_it() -> None:
    changes = {"predictor": {"spread": ["zone", "node"]}, "mode": "Knative"}
    constraints = predictor(changes)["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    assert constraints[0]["labelSelector"]["matchLabels"] == PODS
    assert features(run("local", changes)) == {
        "kubernetes.podspec-topologyspreadconstraints": "enabled"
    }


def features(engine: Recorder) -> dict[str, str]:
    found = engine.of(":ConfigMapPatch").values()
    (data,) = [each["data"] for each in found if each["metadata"]["name"] == "config-features"]
    return dict(data)


def test_more_than_one_pod_is_never_drained_at_once() -> None:
    wanted = {"minReplicas": 3, "maxReplicas": 5, "maxUnavailable": 2}
    budgets = run("local", {"predictor": wanted}).of(":PodDisruptionBudget")
    assert set(budgets) == {"digits-predictor"}
    spec = budgets["digits-predictor"]["spec"]
    assert spec == {"maxUnavailable": 2, "selector": {"matchLabels": PODS}}
    assert not run("local").of(":PodDisruptionBudget")


def test_scaling_to_zero_waits_as_long_as_it_is_told() -> None:
    changes = {"mode": "Knative", "predictor": {"minReplicas": 0, "idleSeconds": 300}}
    found = predictor(changes)
    assert found["minReplicas"] == 0
    retention = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
    assert found["annotations"][retention] == "300s"
    assert "idleSeconds: found 300 where nothing scales to zero" in refused(
        {"predictor": {"idleSeconds": 300}}
    )


def readiness(changes: dict[str, Any]) -> str:
    """The path by which the transformer's pods are found ready."""
    spec = run("local", changes).one(ISVC)["spec"]
    collocated = changes.get("placement") == "collocated"
    (container,) = spec["predictor" if collocated else "transformer"]["containers"]
    return str(container["readinessProbe"]["httpGet"]["path"])


def test_probes_of_the_transformer_do_not_keep_a_predictor_from_scaling_to_zero() -> None:
    model, server = "/v2/models/digits/ready", "/v2/health/ready"
    assert readiness({}) == model
    assert readiness({"mode": "Knative"}) == server
    # Beside Triton nothing else says whether the model is loaded.
    assert readiness({"mode": "Knative", "placement": "collocated"}) == model
    own = {"image": "registry.example/mine:1", "args": []}
    assert readiness({"transformer": own}) == server


def drained(changes: dict[str, Any]) -> tuple[Any, Any]:
    """Triton's hook, and the transformer's argument."""
    spec = run("local", changes).one(ISVC)["spec"]
    part = spec.get("transformer", spec["predictor"])
    given = dict(each.split("=", 1) for each in part["containers"][0]["args"])
    return spec["predictor"]["model"].get("lifecycle"), given.get("--drain_seconds")


def test_a_pod_that_ends_answers_for_its_drain() -> None:
    def hook(seconds: int) -> dict[str, Any]:
        return {"preStop": {"sleep": {"seconds": seconds}}}

    assert drained({}) == (hook(5), "5")
    longer = {"predictor": {"drainSeconds": 20}, "transformer": {"drainSeconds": 0}}
    assert drained(longer) == (hook(20), "0")
    assert predictor(longer)["terminationGracePeriodSeconds"] == 80
    # Kubernetes before 1.33 refuses a sleep of no time.
    assert drained({"predictor": {"drainSeconds": 0}})[0] is None


def test_beside_a_transformer_triton_ends_after_its_drain() -> None:
    longer = {"predictor": {"drainSeconds": 20}, "transformer": {"drainSeconds": 7}}
    found = drained(longer | {"placement": "collocated"})
    assert found == ({"preStop": {"sleep": {"seconds": 27}}}, "7")


def test_a_server_of_the_users_own_drains_before_its_sigterm() -> None:
    own = {"image": "registry.example/mine:1", "args": [], "drainSeconds": 9}
    (container,) = run("local", {"transformer": own}).one(ISVC)["spec"]["transformer"]["containers"]
    assert container["lifecycle"] == {"preStop": {"sleep": {"seconds": 9}}}


def test_knatives_pods_drain_by_themselves() -> None:
    assert drained({"mode": "Knative"}) == (None, None)
    found = refused({"mode": "Knative", "predictor": {"drainSeconds": 9}})
    assert "predictor.drainSeconds: found 9 in mode Knative" in found


def test_requests_go_to_the_pods_addresses_in_turn() -> None:
    grpc = run("local", {"protocol": "grpc"})
    args = grpc.one(ISVC)["spec"]["transformer"]["containers"][0]["args"]
    assert "--predictor_pods=digits-pods.models:9000" in args
    spec = grpc.one(":Service")["spec"]
    assert (spec["clusterIP"], spec["selector"]) == ("None", PODS)
    assert [each["port"] for each in spec["ports"]] == [9000]
    # The gateway does it, there is one address, or the server knows one alone.
    own = {"image": "registry.example/mine:1", "args": []}
    for changes in ({"mode": "Knative"}, {"placement": "collocated"}, {"transformer": own}):
        assert not run("local", changes).of(":Service")


def test_an_image_by_its_digest_wins_over_the_runtimes() -> None:
    image = f"nvcr.io/nvidia/tritonserver@{DIGEST}"
    assert predictor({"triton": {"image": image}})["model"]["image"] == image
    assert "image" not in predictor({})["model"]
    assert "triton.image: found" in refused({"triton": {"image": "nvcr.io/nvidia/tritonserver:1"}})


def test_every_pod_is_pulled_with_the_stacks_secrets() -> None:
    engine = run("local", {"pullSecrets": ["ngc"]})
    spec = engine.one(ISVC)["spec"]
    pods = [spec["predictor"], spec["transformer"]]
    pods += [job["spec"]["template"]["spec"] for job in engine.of(":Job").values()]
    assert all(pod["imagePullSecrets"] == [{"name": "ngc"}] for pod in pods)


def test_a_model_is_kept_on_nodes_where_the_cluster_has_a_cache() -> None:
    engine = run("local", {"predictor": {"cacheNodeGroup": "gpu-nodes"}})
    cache = engine.one(":LocalModelCache")
    assert cache["spec"]["nodeGroups"] == ["gpu-nodes"]
    assert (
        cache["spec"]["sourceModelUri"]
        == (engine.one(ISVC)["spec"]["predictor"]["model"]["storageUri"])
    )
    assert cache["metadata"]["name"].startswith("digits-")
    # KServe looks for a cache again only where the service changes, and gives it up only so.
    disabled = "serving.kserve.io/disable-localmodel"
    assert disabled not in engine.one(ISVC)["metadata"]["annotations"]
    assert run("local").one(ISVC)["metadata"]["annotations"][disabled] == "true"


@pytest.mark.parametrize("mode", ["Standard", "Knative"])
def test_a_canary_has_no_cache(mode: str) -> None:
    digits = {"mode": mode, "canary": {"release": "0" * 12, "trafficPercent": 10}}
    changes = {"models": {"digits": digits}, "predictor": {"cacheNodeGroup": "gpu-nodes"}}
    assert "canary: found one with predictor.cacheNodeGroup gpu-nodes" in refused(changes)


def test_a_model_as_an_image_leaves_the_bucket_empty() -> None:
    uri = f"oci://europe-docker.pkg.dev/p/models/digits@{DIGEST}"
    engine = run("local", {"models": {"digits": {"storageUri": uri}}})
    assert engine.one(ISVC)["spec"]["predictor"]["model"]["storageUri"] == uri
    assert not engine.of(":BucketObject")
    by_tag = {"models": {"digits": {"storageUri": "oci://europe-docker.pkg.dev/p/models:1"}}}
    assert "storageUri: found" in refused(by_tag)


def policies(changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: each["spec"] for name, each in run("local", changes).of("NetworkPolicy").items()}


def ports(rules: list[dict[str, Any]]) -> set[int]:
    return {int(port["port"]) for rule in rules for port in rule["ports"]}


def test_triton_admits_its_transformer_the_proof_and_metrics_alone() -> None:
    spec = policies({})["digits-predictor"]
    callers, metrics = spec["ingress"]
    assert ports([callers]) == {8080}
    assert [peer["podSelector"]["matchLabels"] for peer in callers["from"]] == [
        {"app.kubernetes.io/name": "digits", "app.kubernetes.io/component": "proof"},
        PODS | {"component": "transformer"},
    ]
    assert ports([metrics]) == {8002, 8080}
    assert all("namespaceSelector" in peer for peer in metrics["from"])
    assert policies({"protocol": "grpc"})["digits-predictor"]["ingress"][0]["ports"] == [
        {"port": 9000, "protocol": "TCP"}
    ]


def test_under_knative_gateways_activator_and_autoscaler_reach_the_queue_proxy() -> None:
    first, *others = policies({"mode": "Knative"})["digits-predictor"]["ingress"]
    assert {8012, 8013} <= ports([first])
    spaces = [peer["namespaceSelector"] for peer in first["from"] if "namespaceSelector" in peer]
    assert "knative-serving" in spaces[0]["matchExpressions"][0]["values"]
    assert {9090, 9091} <= ports(others)


def test_nobody_outside_the_named_namespaces_is_admitted() -> None:
    closed = {"ingressNamespaces": [], "metricsNamespaces": []}
    for spec in policies({"network": closed}).values():
        assert not [p for rule in spec["ingress"] for p in rule["from"] if "podSelector" not in p]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
    opened = policies({"network": closed | {"clientNamespaces": ["shop"]}})
    assert "shop" in str(opened["digits-transformer"]["ingress"])
    assert "shop" not in str(opened["digits-predictor"]["ingress"])


@pytest.mark.parametrize("placement", ["separate", "collocated"])
def test_spans_go_to_the_collector_that_the_stack_names(placement: str) -> None:
    collector = "http://collector.monitoring:4317"
    engine = run("local", {"placement": placement, "transformer": {"traces": collector}})
    role = "transformer" if placement == "separate" else "predictor"
    containers = engine.one(ISVC)["spec"][role]["containers"]
    variable = {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": collector}
    assert variable in containers[0]["env"]
    rules = {name: each["spec"]["egress"] for name, each in engine.of("NetworkPolicy").items()}
    open_to_it = [name for name, found in rules.items() if 4317 in ports(only_ports(found))]
    assert open_to_it == [f"digits-{role}"]
    without = run("local", {"placement": placement}).of("NetworkPolicy")
    assert 4317 not in ports(only_ports(without[f"digits-{role}"]["spec"]["egress"]))


def only_ports(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for rule in rules if "ports" in rule]


def test_the_network_can_be_left_to_others() -> None:
    assert policies({"network": {"enabled": False}}) == {}


@pytest.mark.parametrize(
    ("memory", "cpu", "threads"),
    [
        ("512Mi", "4", 1),
        ("1Gi", "4", 2),
        ("2Gi", "4", 4),
        ("2Gi", "2500m", 3),
        ("1Gi", "1", 2),
        ("4Gi", "1", 2),
    ],
)
def test_pictures_are_decoded_by_as_many_threads_as_memory_and_cpu_are_for(
    memory: str, cpu: str, threads: int
) -> None:
    spec = run("local", {"transformer": {"memory": memory, "cpu": cpu}}).one(ISVC)["spec"]
    assert f"--max_threads={threads}" in spec["transformer"]["containers"][0]["args"]
