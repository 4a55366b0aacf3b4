"""What an environment is given, as the engine recorded it."""

from __future__ import annotations

import re

import pytest

from bootstrap import permissions
from tests.bootstrap.program import POOL, ROOT, STORAGE_AGENT, Recorder, run
from tests.workflows.files import WORKFLOWS

ONLY_MODELS = (
    'resource.name == "projects/_/buckets/kserve-triton-dev-models" || '
    'resource.name.startsWith("projects/_/buckets/kserve-triton-dev-models/")'
)


def test_buckets_are_private_versioned_and_never_emptied() -> None:
    buckets = run().of("Bucket")
    assert {each["name"] for each in buckets.values()} == {
        "kserve-triton-dev-state",
        "kserve-triton-dev-releases",
    }
    for bucket in buckets.values():
        assert bucket["uniformBucketLevelAccess"] is True
        assert bucket["publicAccessPrevention"] == "enforced"
        assert bucket["versioning"] == {"enabled": True}
        assert bucket["softDeletePolicy"]["retentionDurationSeconds"] == 30 * 86400
        assert bucket["forceDestroy"] is False


def test_what_states_and_secrets_hang_on_is_protected() -> None:
    assert run().protected == {"state-bucket", "state-keys", "state-key"}


def test_nothing_is_anybodys() -> None:
    members = {str(resource.inputs.get("member")) for resource in run().resources}
    assert not {"allUsers", "allAuthenticatedUsers"} & members


def test_no_keys_of_accounts_are_made() -> None:
    types = {resource.typ for resource in run().resources}
    assert not [each for each in types if "serviceaccount/key" in each.lower()]


def test_no_role_is_as_wide_as_a_project() -> None:
    roles = {str(resource.inputs.get("role")) for resource in run().resources}
    assert not {"roles/owner", "roles/editor", "roles/viewer"} & roles
    assert not {"roles/container.admin", "roles/storage.admin"} & roles


def test_secrets_have_a_key_that_rotates() -> None:
    key = run().one("CryptoKey")
    assert key["rotationPeriod"] == f"{90 * 86400}s"


def test_images_keep_their_tags() -> None:
    images = run().one("Repository")
    assert images["dockerConfig"] == {"immutableTags": True}
    assert images["format"] == "DOCKER"


def test_only_this_repository_gets_in_and_deploys_from_its_branch() -> None:
    provider = run("prod").one("WorkloadIdentityPoolProvider")
    assert provider["attributeCondition"] == (
        'assertion.repository == "someone/kserve-triton"'
        ' && assertion.repository_id == "4711"'
        ' && (assertion.environment == "prod-preview"'
        ' || assertion.environment == "prod" && assertion.ref == "refs/heads/main")'
    )
    assert provider["attributeMapping"]["attribute.environment"] == "assertion.environment"
    assert provider["oidc"] == {"issuerUri": "https://token.actions.githubusercontent.com"}


@pytest.mark.parametrize(
    ("account", "environment"), [("deploy", "dev"), ("preview", "dev-preview")]
)
def test_an_account_is_acted_as_by_jobs_of_one_environment(account: str, environment: str) -> None:
    bound = run("dev").of("IAMMember")[f"{account}-jobs"]
    assert bound["role"] == "roles/iam.workloadIdentityUser"
    assert (
        bound["member"]
        == f"principalSet://iam.googleapis.com/{POOL}/attribute.environment/{environment}"
    )
    assert f"kserve-triton-{account}@" in bound["serviceAccountId"]


def test_deploying_is_allowed_what_the_program_makes_and_no_more() -> None:
    engine = run()
    assert engine.grants("deploy") == {
        ("roles/container.developer", ""),
        ("roles/monitoring.editor", ""),
        ("projects/kserve-triton-dev/roles/kserveTriton.deploy.own", ""),
        ("projects/kserve-triton-dev/roles/kserveTriton.deploy.models", ONLY_MODELS),
        ("roles/storage.objectUser", ""),
        ("roles/storage.objectViewer", ""),
        ("roles/cloudkms.cryptoKeyDecrypter", ""),
        ("roles/artifactregistry.writer", ""),
    }
    assert engine.of("BucketIAMMember")["deploy-state"]["bucket"] == "kserve-triton-dev-state"


def test_the_bucket_that_deploying_manages_is_the_stacks_own() -> None:
    made = run().of("IAMCustomRole")
    anywhere = made["deploy-role-own"]["permissions"]
    assert [each for each in anywhere if each.startswith("storage.")] == ["storage.buckets.create"]
    assert "storage.buckets.setIamPolicy" in made["deploy-role-models"]["permissions"]


def test_previewing_reads_and_nothing_else() -> None:
    engine = run()
    assert engine.grants("preview") == {
        ("roles/container.viewer", ""),
        ("roles/monitoring.viewer", ""),
        ("projects/kserve-triton-dev/roles/kserveTriton.preview.models", ONLY_MODELS),
        ("roles/storage.objectViewer", ""),
        ("roles/cloudkms.cryptoKeyDecrypter", ""),
        ("roles/artifactregistry.reader", ""),
    }
    made = engine.of("IAMCustomRole")["preview-role-models"]["permissions"]
    assert all(re.search(r"\.(get|getIamPolicy|list)$", permission) for permission in made)


def test_nobody_may_become_an_account_of_the_project() -> None:
    # Whoever manages service accounts, or their keys and tokens, acts as any of them.
    engine = run()
    roles = [each["role"] for each in engine.of("projects/iAMMember:IAMMember").values()]
    assert roles and not [each for each in roles if "roles/iam." in each]
    for made in engine.of("IAMCustomRole").values():
        assert not [each for each in made["permissions"] if each.startswith("iam.")]


def test_cloud_storage_may_use_the_key_of_the_models() -> None:
    key = "projects/kserve-triton-dev/locations/europe-west4/keyRings/ring/cryptoKeys/models"
    grant = run(changes={"modelsKey": key}).of("CryptoKeyIAMMember")["models-key-storage"]
    assert grant["cryptoKeyId"] == key
    assert grant["role"] == "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    assert grant["member"] == STORAGE_AGENT
    assert "models-key-storage" not in run().of("CryptoKeyIAMMember")


def test_what_workflows_need_to_know_is_exported() -> None:
    exports = run().exports
    text = "\n".join(path.read_text() for path in [*WORKFLOWS, *ROOT.glob(".github/actions/*/*")])
    used = set(re.findall(r"fromJSON\((?:inputs\.settings|vars\.STACK_SETTINGS)\)\.(\w+)", text))
    assert used == set(exports["deploy"]) == set(exports["preview"])
    assert exports["deploy"]["provider"] == f"{POOL}/providers/actions"
    assert exports["deploy"]["state"] == "gs://kserve-triton-dev-state"
    assert exports["secrets"].startswith("gcpkms://")
    assert exports["projectNumber"] == 1


def test_each_environment_has_its_own_registry() -> None:
    found = {
        stack: run(stack, {"project": f"kserve-triton-{stack}"}).exports["deploy"]["registry"]
        for stack in ("dev", "prod")
    }
    assert found == {
        stack: f"europe-west4-docker.pkg.dev/kserve-triton-{stack}/images" for stack in found
    }


def test_authors_add_releases_and_can_replace_none() -> None:
    engine = run(changes={"releaseAuthors": ["group:authors@example.com"]})
    grants = [
        each["role"]
        for each in engine.of("BucketIAMMember").values()
        if each["member"] == "group:authors@example.com"
    ]
    assert sorted(grants) == ["roles/storage.objectCreator", "roles/storage.objectViewer"]


def granted(engine: Recorder, member: str) -> dict[str, str]:
    """Bucket by role of what a member was granted on buckets."""
    found = engine.of("BucketIAMMember").values()
    return {each["role"]: each["bucket"] for each in found if each["member"] == member}


def test_the_next_environments_accounts_may_read_releases_and_add_none() -> None:
    next_account = "serviceAccount:kserve-triton-deploy@kserve-triton-prod.iam.gserviceaccount.com"
    engine = run(changes={"releaseReaders": [next_account]})
    assert granted(engine, next_account) == {
        "roles/storage.objectViewer": "kserve-triton-dev-releases"
    }


def test_a_member_that_adds_and_reads_releases_is_granted_each_once() -> None:
    both = ["group:authors@example.com"]
    engine = run(changes={"releaseAuthors": both, "releaseReaders": both})
    assert [each.name for each in engine.resources if "group:authors" in each.name] == [
        "artefacts-releases-objectCreator-group:authors@example.com",
        "artefacts-releases-objectViewer-group:authors@example.com",
    ]


@pytest.mark.parametrize(
    "releases", ["gs://kserve-triton-dev-releases", "kserve-triton-dev-releases"]
)
def test_an_environment_may_read_the_releases_of_another_and_make_no_bucket(releases: str) -> None:
    engine = run("prod", {"project": "kserve-triton-prod", "releases": releases})
    assert {each["name"] for each in engine.of("Bucket").values()} == {"kserve-triton-prod-state"}
    grants = engine.of("BucketIAMMember").values()
    assert {each["bucket"] for each in grants} == {"kserve-triton-prod-state"}
    for account in ("deploy", "preview"):
        assert engine.exports[account]["artefacts"] == "gs://kserve-triton-dev-releases"


def test_the_names_of_all_resources_are_those_that_states_know() -> None:
    # Another name is another resource: a bucket replaced, an identity gone.
    found = {
        f"{resource.typ.rpartition(':')[2]} {resource.name}"
        for resource in run().resources
        if "bootstrap" not in resource.typ
    }
    apis = "artifactregistry cloudkms cloudresourcemanager container"
    apis += " iam iamcredentials monitoring storage sts"
    expected = {f"Service services-{api}" for api in apis.split()} | {
        "Bucket state-bucket",
        "KeyRing state-keys",
        "CryptoKey state-key",
        "Bucket artefacts-releases",
        "Repository artefacts-images",
        "WorkloadIdentityPool github-pool",
        "WorkloadIdentityPoolProvider github-provider",
    }
    for account in permissions.for_environment("dev"):
        expected |= {
            f"Account {account}-account",
            f"IAMMember {account}-jobs",
            f"IAMCustomRole {account}-role-models",
            f"IAMMember {account}-models",
            f"BucketIAMMember {account}-state",
            f"CryptoKeyIAMMember {account}-key",
            f"BucketIAMMember artefacts-releases-objectViewer-{account}",
            f"RepositoryIamMember artefacts-images-{account}",
        }
    expected |= {
        "IAMMember deploy-container.developer",
        "IAMCustomRole deploy-role-own",
        "IAMMember deploy-own",
        "IAMMember deploy-monitoring.editor",
        "IAMMember preview-monitoring.viewer",
        "IAMMember preview-container.viewer",
    }
    assert found == expected
