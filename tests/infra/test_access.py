"""Who may do what with a stack's bucket, by what the engine recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bootstrap.permissions import for_environment, only_bucket
from infra.manifests.access import principal
from local.storage.iam import Binding, Resource, allows, parse
from tests.infra.program import ROOT, Recorder, run

if TYPE_CHECKING:
    from collections.abc import Iterable

BUCKET = PROJECT = "kserve-triton-local"
UPLOADED = {"enabled": True, "upload": True}
AOTI: dict[str, Any] = {"triton": {"container": "26.06-py3"}, "models": {"compiled": {}}}
ACTIONS = {
    "list": ("storage.objects.list", ""),
    "read `models/`": ("storage.objects.get", "models/digits/1/digits/1/model.pt"),
    "add to `models/`": ("storage.objects.create", "models/digits/1/digits/1/model.pt"),
    "replace in `models/`": ("storage.objects.delete", "models/digits/1/digits/1/model.pt"),
    "read `programs/`": ("storage.objects.get", "programs/digits/1/model.pt2"),
    "read `perf/`": ("storage.objects.get", "perf/digits/1/result.json"),
    "add to `perf/`": ("storage.objects.create", "perf/digits/1/result.json"),
    "grant access": ("storage.buckets.setIamPolicy", ""),
}
ACCOUNTS = {
    "models": "`models`: Triton's pods, and a transformer that fetches its handler",
    "perf": "`perf`: the load test with `perf.upload`",
    "compiler": "`compiler`: the Job of a model in format `aoti`",
    "verifier-local": "`verifier-STACK`: the verification",
    "default": "any other pod",
}
JOBS = {
    "deploy": "`kserve-triton-deploy`: deployments",
    "preview": "`kserve-triton-preview`: previews and drift checks",
}


def bindings(engine: Recorder) -> list[Binding]:
    """The bucket's policy after an update, and the bootstrap's grants on it."""
    members = engine.of("storage/bucketIAMMember:BucketIAMMember").values()
    bound = [each | {"members": [each["member"]]} for each in members]
    for name, allowed in for_environment("dev").items():
        condition = {"expression": only_bucket(BUCKET)}
        for permissions, within in ((allowed.own, None), (allowed.models, condition)):
            if permissions:
                each = {"members": [name], "permissions": list(permissions)}
                bound.append(each | ({"condition": within} if within else {}))
    return parse({"bindings": bound})


def table(policy: Iterable[Binding]) -> str:
    """Rows of accounts, columns of actions."""
    callers = {principal(PROJECT, 1, "models", name): text for name, text in ACCOUNTS.items()}
    rows = [f"| who | {' | '.join(ACTIONS)} |", "|---" * (len(ACTIONS) + 1) + "|"]
    for member, text in (callers | JOBS).items():
        cells = [
            "yes" if allows(policy, [member], permission, Resource(BUCKET, name)) else "–"
            for permission, name in ACTIONS.values()
        ]
        rows.append(f"| {text} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def test_the_page_says_who_may_do_what() -> None:
    found = table(bindings(run("local", AOTI)))
    print(found)
    assert found in (ROOT / "docs" / "permissions.md").read_text()


def test_pods_are_members_by_their_kubernetes_accounts() -> None:
    engine = run("prod", {"identity": {"projectNumber": 5}, "perf": UPLOADED})
    place = "iam.googleapis.com/projects/5/locations/global/workloadIdentityPools"
    assert {
        (each["member"], each["role"], each["condition"]["title"])
        for each in engine.of(":BucketIAMMember").values()
    } == {
        (
            f"principal://{place}/kserve-triton-prod.svc.id.goog/subject/ns/models/sa/models",
            "roles/storage.objectViewer",
            "only models",
        ),
        (
            f"principal://{place}/kserve-triton-prod.svc.id.goog/subject/ns/models/sa/perf",
            "roles/storage.objectCreator",
            "only perf",
        ),
    }
    assert engine.one("InferenceService")["spec"]["predictor"]["serviceAccountName"] == "models"


def test_a_cluster_of_another_project_has_its_own_pool() -> None:
    engine = run("local", {"identity": {"project": "shared-cluster"}})
    members = {each["member"] for each in engine.of(":BucketIAMMember").values()}
    assert all("/shared-cluster.svc.id.goog/" in each for each in members)


def test_there_are_no_google_accounts_and_no_keys() -> None:
    for stack in ("dev", "prod"):
        assert not [each.typ for each in run(stack).resources if "serviceaccount/" in each.typ]


def test_an_account_is_granted_only_what_the_stack_does() -> None:
    engine = run("local", {"perf": {"upload": False}})
    found = {each["condition"]["title"] for each in engine.of(":BucketIAMMember").values()}
    assert found == {"only models"}
    assert set(engine.of(":ServiceAccountPatch")) == {"access-models"}
    # Kubernetes would wait for ever for an account that nobody makes.
    (load,) = (job for name, job in engine.of(":Job").items() if name.startswith("perf-"))
    assert "serviceAccountName" not in load["spec"]["template"]["spec"]


def test_accounts_are_made_if_missing_and_never_deleted() -> None:
    engine = run("prod", {"perf": UPLOADED})
    accounts = engine.of(":ServiceAccountPatch")
    assert {each["metadata"]["name"] for each in accounts.values()} == {"models", "perf"}
    assert {each["metadata"]["namespace"] for each in accounts.values()} == {"models"}
    assert not {"models", "perf"} & set(engine.of(":ServiceAccount"))


@pytest.mark.parametrize("number", [None, 1])
def test_a_member_that_moves_into_the_storage_settings_keeps_its_grant(
    number: int | None,
) -> None:
    reader = principal(PROJECT, 1, "models", "models")
    changes = {"identity": {"projectNumber": number}, "storage": {"readers": [reader]}}
    engine = run("local", changes | {"predictor": {"serviceAccount": "models"}})
    names = [
        name for name, each in engine.of(":BucketIAMMember").items() if each["member"] == reader
    ]
    # The same resource, so that nothing is revoked when a stack hands its grants over.
    assert names == [f"access-objectViewer-models-{reader}"]


def test_without_a_project_number_accounts_are_left_alone() -> None:
    engine = run("local", {"identity": {"projectNumber": None}})
    assert not engine.of(":BucketIAMMember")
    assert not engine.of(":ServiceAccountPatch")
    assert "serviceAccountName" not in engine.one("InferenceService")["spec"]["predictor"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"jobs": {"serviceAccount": "models"}}, "models.cifar10.predictor.serviceAccount"),
        ({"compiler": {"serviceAccount": "perf"}}, "models.cifar10.compiler.serviceAccount"),
    ],
)
def test_an_account_is_for_one_purpose(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(Exception, match=f"{key}: found"):
        run("prod", changes)
    # Where others grant access, an account may be anything.
    run("prod", changes | {"identity": {"projectNumber": None}})


def test_a_stack_claims_its_models_in_the_namespace() -> None:
    claims = run("prod").of(":ConfigMapPatch")["namespace-kserve-triton-models"]
    assert claims["data"]["cifar10"] == "prod, gs://kserve-triton-prod-models"
