"""Format aoti: the program in the bucket, the Job that compiles it, and who may do that."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.config import merged
from infra.manifests import compilation
from jobs.compile import __main__ as program
from release.schema import short
from tests.infra.program import Recorder, run

ISVC = "InferenceService"
AOTI: dict[str, Any] = {"triton": {"container": "26.06-py3"}, "models": {"compiled": {}}}
COMPILER = {
    ("roles/storage.objectViewer", "only programs"),
    ("roles/storage.objectCreator", "only models"),
}
GPU = {"device": "gpu", "predictor": {"accelerator": "nvidia-l4"}}


def compiled(changes: dict[str, Any] | None = None, stack: str = "local") -> Recorder:
    return run(stack, merged(AOTI, changes or {}))


def job(engine: Recorder) -> dict[str, Any]:
    (found,) = (j for name, j in engine.of(":Job").items() if name.startswith("compile-"))
    return found


def pod(engine: Recorder) -> dict[str, Any]:
    return dict(job(engine)["spec"]["template"]["spec"])


def grants(engine: Recorder, member: str) -> set[tuple[str, str]]:
    """Role and condition of all that a member is granted on the bucket."""
    return {
        (each["role"], each["condition"]["title"])
        for each in engine.of("storage/bucketIAMMember:BucketIAMMember").values()
        if each["member"] == member
    }


def refused(changes: dict[str, Any], stack: str = "local") -> str:
    with pytest.raises(pulumi.RunError) as caught:
        compiled(changes, stack)
    return str(caught.value)


def test_the_bucket_gets_the_program_and_no_model() -> None:
    engine = compiled()
    digest = engine.exports["models"]["compiled"]["digest"]
    objects = engine.of(":BucketObject")
    names = {each["name"] for each in objects.values()}
    assert f"programs/compiled/{short(digest)}/model.pt2" in names
    assert not [name for name in names if name.endswith("/1/model.pt2")]


def test_the_job_fetches_compiles_and_adds_the_package_where_triton_looks() -> None:
    engine = compiled()
    model = engine.exports["models"]["compiled"]
    fetch, compiler, upload = [*pod(engine)["initContainers"], *pod(engine)["containers"]]
    source = f"gs://kserve-triton-local/programs/compiled/{short(model['digest'])}/model.pt2"
    assert fetch["command"][3:5] == ["fetch", source]
    assert fetch["command"][6] == "/work"
    assert compiler["command"] == [
        *("python", "/work/compile.py", "/work/program.pt2", "/work/model.pt2", "--device=cpu")
    ]
    target = f"{model['storageUri']}/compiled/1/model.pt2"
    assert upload["command"][3:] == ["upload", "/work/model.pt2", target]
    assert compiler["image"] == "nvcr.io/nvidia/pytorch:26.06-py3"


def test_its_files_are_those_of_the_jobs_program() -> None:
    assert (compilation.PROGRAM, compilation.COMPILE) == (program.PROGRAM, program.COMPILE)


def test_no_pod_of_triton_starts_before_there_is_a_package() -> None:
    order = [each.name for each in compiled().resources if each.typ.endswith((":Job", ISVC))]
    assert order[0].startswith("compile-compiled-")


def test_it_runs_where_triton_will() -> None:
    engine = compiled(GPU)
    predictor = engine.one(ISVC)["spec"]["predictor"]
    assert pod(engine)["nodeSelector"] == predictor["nodeSelector"]
    assert pod(engine)["tolerations"] == predictor["tolerations"]
    (_, compiler) = pod(engine)["initContainers"]
    assert compiler["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert compiler["command"][-1] == "--device=cuda"
    assert "nvidia.com/gpu" not in pod(engine)["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize(
    "changes",
    [
        GPU,
        {"triton": {"container": "26.07-py3"}},
        {"compiler": {"image": "registry.example/pytorch:1"}},
        {"predictor": {"nodeSelector": {"cpu": "new"}}},
    ],
)
def test_another_target_is_another_package(changes: dict[str, Any]) -> None:
    before, after = compiled(), compiled(changes)
    assert job(before)["metadata"]["name"] != job(after)["metadata"]["name"]
    uris = {each.exports["models"]["compiled"]["storageUri"] for each in (before, after)}
    assert len(uris) == 2


def test_what_does_not_concern_it_compiles_nothing_again() -> None:
    changes = {"predictor": {"maxReplicas": 3}, "compiler": {"memory": "16Gi"}, "perf": {"rate": 1}}
    assert job(compiled())["metadata"]["name"] == job(compiled(changes))["metadata"]["name"]


def test_the_other_formats_have_no_such_job() -> None:
    assert not [name for name in run("local").of(":Job") if name.startswith("compile-")]


def test_an_account_of_its_own_reads_programs_and_adds_models() -> None:
    engine = compiled({"promotion": {"override": "test"}}, "prod")
    assert pod(engine)["serviceAccountName"] == "compiler"
    assert grants(engine, engine.principal("compiler")) == COMPILER
    assert "access-compiler" in engine.of(":ServiceAccountPatch")
    assert "access-compiler" not in run("prod").of(":ServiceAccountPatch")


def test_members_of_ones_own_may_compile() -> None:
    member = "serviceAccount:compiler@kserve-triton-dev.iam.gserviceaccount.com"
    engine = compiled({"storage": {"compilers": [member]}})
    assert grants(engine, member) == COMPILER


@pytest.mark.parametrize(
    ("stack", "changes", "message"),
    [
        ("local", {"triton": {"container": "26.05-py3"}}, "set triton.container to 26.06-py3"),
        (
            "local",
            {"models": {"compiled": {"storageUri": f"oci://r.example/m@sha256:{'a' * 64}"}}},
            "where a Job compiles the release, in format aoti, into the bucket",
        ),
        (
            "prod",
            {"compiler": {"serviceAccount": "models"}},
            'compiler.serviceAccount: found "models"; allowed: another than predictor',
        ),
    ],
)
def test_what_cannot_work_fails_the_preview(
    stack: str, changes: dict[str, Any], message: str
) -> None:
    assert message in refused(merged({"promotion": {"override": "test"}}, changes), stack)
