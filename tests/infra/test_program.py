"""The whole program for all three stacks, and every switch, by what the engine recorded."""

from __future__ import annotations

import json
import re
from typing import Any

import pulumi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.manifests.names import ATTEMPT, ATTEMPT_VARIABLE, verifier_name
from jobs.config import LoadConfig, VerifyConfig
from release.decode import instance
from tests.infra.golden import CASES
from tests.infra.program import Recorder, run

ISVC = "InferenceService"
GPU = "nvidia.com/gpu"
GRACE = "terminationGracePeriodSeconds"


def container(component: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in component["containers"] if item["name"] == name]
    return dict(found)


@pytest.mark.parametrize(("stack", "jobs"), [("local", 2), ("dev", 2), ("prod", 1)])
def test_every_stack_makes_all_parts(stack: str, jobs: int) -> None:
    engine = run(stack)
    (model,) = engine.exports["models"]
    service = engine.one(ISVC)
    assert service["metadata"]["name"] == model
    assert service["spec"]["predictor"]["model"]["storageUri"].startswith("gs://kserve-triton-")
    # No load test reaches the endpoint that serves prod's users.
    assert len(engine.of(":Job")) == jobs
    assert engine.of(":ConfigMapPatch")
    assert engine.exports["models"][model]["ready"] is True
    assert list(engine.exports["perf"]) == ([model] if jobs == 2 else [])
    assert all(perf["verdict"] == "pass" for perf in engine.exports["perf"].values())


@pytest.mark.parametrize("stack", ["local", "dev", "prod"])
def test_no_resource_has_a_parent_missing(stack: str) -> None:
    names = [(r.typ, r.name) for r in run(stack).resources]
    assert len(names) == len(set(names))


def test_nothing_is_granted_to_the_public_and_nothing_is_secret_in_plain() -> None:
    for stack in ("local", "dev", "prod"):
        engine = run(stack)
        assert "allUsers" not in json.dumps([str(r.inputs) for r in engine.resources])
        assert not engine.of(":Secret")


def test_device_gpu_alone_turns_everything_and_cpu_turns_it_back() -> None:
    cpu, gpu = run("local"), run("local", {"device": "gpu"})
    predictor = gpu.one(ISVC)["spec"]["predictor"]
    assert predictor["model"]["resources"]["limits"][GPU] == "1"
    assert predictor["tolerations"] == [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    assert any("KIND_GPU" in text for text in config_texts(gpu))
    assert GPU not in json.dumps(cpu.one(ISVC)["spec"])
    assert all("KIND_CPU" in text for text in config_texts(cpu))
    # The same release on another device is another version, beside the first.
    assert uri(cpu) != uri(gpu)
    assert uri(run("local", {"device": "cpu"})) == uri(cpu)


def config_texts(engine: Recorder) -> list[str]:
    objects = engine.of(":BucketObject").values()
    return [o["source"].text for o in objects if o["name"].endswith("config.pbtxt")]


def uri(engine: Recorder) -> str:
    return str(engine.one(ISVC)["spec"]["predictor"]["model"]["storageUri"])


def test_grpc_is_spoken_by_triton_transformer_and_verification() -> None:
    engine = run("local", {"protocol": "grpc"})
    spec = engine.one(ISVC)["spec"]
    assert spec["predictor"]["model"]["protocolVersion"] == "grpc-v2"
    assert spec["predictor"]["model"]["ports"] == [
        {"name": "h2c", "protocol": "TCP", "containerPort": 9000}
    ]
    args = container(spec["transformer"], "kserve-container")["args"]
    assert "--predictor_protocol=grpc-v2" in args
    (config,) = engine.asked("verify-").values()
    assert config["predictor_protocol"] == "grpc"
    assert config["predictor_url"] == "digits-predictor.models.svc.cluster.local:80"


def test_collocated_puts_the_transformer_beside_a_triton_that_moves_over() -> None:
    engine = run("local", {"placement": "collocated"})
    spec = engine.one(ISVC)["spec"]
    assert "transformer" not in spec
    assert spec["predictor"]["model"]["args"] == [
        "--disable-auto-complete-config",
        "--http-port=8085",
    ]
    beside = container(spec["predictor"], "transformer-container")
    assert "--predictor_host=localhost:8085" in beside["args"]
    assert engine.exports["models"]["digits"]["url"] == (
        "http://digits-predictor.models.svc.cluster.local/v1/models/digits:predict"
    )


def test_a_transformers_pod_has_the_time_to_answer_what_is_under_way() -> None:
    changes = {"transformer": {"timeoutSeconds": 90}}
    assert run("local", changes).one(ISVC)["spec"]["transformer"][GRACE] == 95
    beside = run("local", changes | {"placement": "collocated"})
    # Triton's own drain comes after the transformer's.
    assert beside.one(ISVC)["spec"]["predictor"][GRACE] == 100


def test_the_mode_is_an_annotation_that_replaces() -> None:
    for mode in ("Knative", "Standard"):
        found = run("local", {"mode": mode}).one(ISVC)["metadata"]["annotations"]
        assert found["serving.kserve.io/deploymentMode"] == mode


def test_a_model_overrides_its_stack() -> None:
    models = {"digits": {"protocol": "grpc"}, "cifar10": {"predictor": {"cpu": "3"}}}
    services = run("local", {"models": models}).of(ISVC)
    assert services["digits"]["spec"]["predictor"]["model"]["protocolVersion"] == "grpc-v2"
    other = services["cifar10"]["spec"]["predictor"]["model"]
    assert other["protocolVersion"] == "v2"
    assert other["resources"]["limits"] == {"cpu": "3", "memory": "2Gi"}


def test_without_a_transformer_clients_reach_triton() -> None:
    changes = {"transformer": {"enabled": False}, "perf": {"target": "predictor"}}
    engine = run("local", changes)
    assert "transformer" not in engine.one(ISVC)["spec"]
    assert engine.exports["models"]["digits"]["url"].endswith("/v2/models/digits/infer")


def test_without_a_load_test_only_the_verification_runs() -> None:
    engine = run("local", {"perf": {"enabled": False}})
    (name,) = engine.of(":Job")
    assert name.startswith("verify-digits-")
    assert engine.exports["perf"] == {}


def test_triton_runs_one_thread_a_worker_unless_told_otherwise() -> None:
    def env(engine: Recorder) -> dict[str, str]:
        found = engine.one(ISVC)["spec"]["predictor"]["model"]["env"]
        return {item["name"]: item["value"] for item in found}

    assert env(run("local")) == {"OMP_NUM_THREADS": "1"}
    changed = run("local", {"predictor": {"env": {"OMP_NUM_THREADS": "2", "A": "b"}}})
    assert env(changed) == {"A": "b", "OMP_NUM_THREADS": "2"}


def test_scaling_and_scheduling_reach_the_service() -> None:
    predictor = run("prod").one(ISVC)["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 8)
    assert (predictor["scaleMetric"], predictor["scaleTarget"]) == ("concurrency", 32)
    assert predictor["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert predictor["serviceAccountName"] == "models"


def test_fixed_replicas_in_standard_mode_need_no_autoscaler() -> None:
    def autoscaler(changes: dict[str, Any]) -> str | None:
        annotations = run("local", changes).one(ISVC)["metadata"]["annotations"]
        return annotations.get("serving.kserve.io/autoscalerClass")

    assert autoscaler({}) == "none"
    scaled = {"maxReplicas": 2, "scaleMetric": "cpu", "scaleTarget": 60}
    assert autoscaler({"predictor": scaled}) is None


def test_another_thing_to_prove_is_another_job() -> None:
    def jobs(changes: dict[str, Any]) -> set[str]:
        return set(run("local", changes).of(":Job"))

    assert jobs({}) == jobs({})
    assert not jobs({}) & jobs({"predictor": {"memory": "3Gi"}})
    slower = jobs({"perf": {"rate": 10}})
    assert set(jobs({}) & slower) == {name for name in slower if name.startswith("verify-")}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_jobs_read_what_they_are_asked(name: str) -> None:
    engine = run("local", CASES[name])
    for asked in engine.asked("verify-").values():
        assert instance(VerifyConfig, asked).model
    for asked in engine.asked("perf-").values():
        assert instance(LoadConfig, asked).model


def test_jobs_stay_and_the_verification_reads_only_its_namespace() -> None:
    engine = run("local")
    for spec in (job["spec"] for job in engine.of(":Job").values()):
        assert spec["template"]["spec"]["restartPolicy"] == "Never"
        assert "ttlSecondsAfterFinished" not in spec
    role = engine.one(":Role")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    (verification,) = [job for name, job in engine.of(":Job").items() if name.startswith("verify-")]
    account = verification["spec"]["template"]["spec"]["serviceAccountName"]
    assert account == engine.one(":ServiceAccount")["metadata"]["name"] == "verifier-local"
    assert engine.one(":RoleBinding")["subjects"] == [
        {"kind": "ServiceAccount", "name": account, "namespace": "models"}
    ]


def test_one_account_for_all_verifications_reads_just_the_stacks_services() -> None:
    models = {"digits": {}, "cifar10": {}}
    rules = run("local", {"models": models}).one(":Role")["rules"]
    (services,) = [rule for rule in rules if "inferenceservices" in rule["resources"]]
    assert services["resourceNames"] == ["cifar10", "digits"]
    assert services["verbs"] == ["get"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[A-Za-z0-9_.-]{1,100}", fullmatch=True))
def test_every_stacks_name_gives_an_account_that_kubernetes_takes(stack: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", verifier_name(stack))


def test_what_a_job_is_asked_has_nothing_that_kubernetes_would_expand() -> None:
    for job in run("local").of(":Job").values():
        variables = job["spec"]["template"]["spec"]["containers"][0]["env"]
        texts = [each["value"] for each in variables if "value" in each]
        assert all("$" not in text.replace("$$", "").replace(ATTEMPT, "") for text in texts)


def test_each_attempt_at_a_load_test_has_a_result_of_its_own() -> None:
    engine = run("local")
    (job,) = (job for name, job in engine.of(":Job").items() if name.startswith("perf-"))
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0]["name"] == ATTEMPT_VARIABLE
    assert "controller-uid" in env[0]["valueFrom"]["fieldRef"]["fieldPath"]
    (asked,) = engine.asked("perf-").values()
    perf = engine.exports["perf"]["digits"]
    assert perf["result"] == asked["result"].replace(ATTEMPT, f"uid-of-{job['metadata']['name']}")
    assert perf["report"] == perf["result"].replace("result.json", "report.html")


def test_containers_are_locked_down() -> None:
    engine = run("local")
    spec = engine.one(ISVC)["spec"]
    containers = [container(spec["transformer"], "kserve-container")]
    jobs = engine.of(":Job").values()
    containers += [job["spec"]["template"]["spec"]["containers"][0] for job in jobs]
    for found in containers:
        security = found["securityContext"]
        assert security["runAsNonRoot"] and security["readOnlyRootFilesystem"]
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_release_travels_as_an_immutable_configmap_named_by_content() -> None:
    engine = run("local")
    ((name, release),) = [
        item for item in engine.of(":ConfigMap").items() if item[0].startswith("release-")
    ]
    digest = engine.exports["models"]["digits"]["digest"]
    assert name == f"release-digits-{digest[:12]}"
    assert release["immutable"] is True
    assert json.loads(release["data"]["release.json"])["name"] == "digits"


def test_an_unpinned_release_stops_the_stack_with_one_line_on_what_to_run() -> None:
    engine = Recorder()
    with pytest.raises(pulumi.RunError, match="python -m model build cats --pin"):
        run("local", {"models": {"cats": {}}}, engine)
    assert engine.resources == []


def test_outside_urls_follow_the_domain() -> None:
    outside = {"domain": "example.com"}
    assert run("local", outside).exports["models"]["digits"]["url"] == (
        "http://digits-models.example.com/v1/models/digits:predict"
    )


@pytest.mark.parametrize(
    ("changes", "host", "path"),
    [
        ({}, "digits-transformer", "v1/models/digits:predict"),
        ({"placement": "collocated"}, "digits-predictor", "v1/models/digits:predict"),
        ({"transformer": {"enabled": False}}, "digits-predictor", "v2/models/digits/infer"),
    ],
)
def test_under_knative_the_gateway_knows_each_component(
    changes: dict[str, Any], host: str, path: str
) -> None:
    knative = changes | {"mode": "Knative"}
    inside = run("local", knative).exports["models"]["digits"]["url"]
    assert inside == f"http://{host}.models.svc.cluster.local/{path}"
    outside = run("local", knative | {"domain": "example.com"}).exports["models"]["digits"]["url"]
    assert outside == f"http://{host}.models.example.com/{path}"


def test_a_models_component_registers_what_a_reviewer_wants_to_see() -> None:
    cpu = run("local").one(":ServedModel")
    gpu = run("local", {"device": "gpu", "predictor": {"maxReplicas": 3}}).one(":ServedModel")
    changed = {key for key in cpu if cpu[key] != gpu[key]}
    assert changed == {"device", "predictor", "storageUri"}
    assert (cpu["device"], gpu["device"]) == ("cpu", "gpu")
    assert (cpu["predictor"]["gpus"], gpu["predictor"]["gpus"]) == (0, 1)
    assert gpu["predictor"]["maxReplicas"] == 3
    assert cpu["release"] == run("local").exports["models"]["digits"]["digest"]
    # None is no input, as for resources.
    assert "canary" not in cpu


def test_every_component_registers_its_inputs() -> None:
    components = [r for r in run("prod").resources if r.typ.startswith("kserve-triton:index:")]
    kinds = {r.typ.rpartition(":")[2] for r in components}
    assert kinds == {
        "Access",
        "Cluster",
        "KnativeConfig",
        "ModelRepository",
        "Monitoring",
        "Namespace",
        "ServedModel",
        "Verifier",
    }
    assert all(r.inputs for r in components)
