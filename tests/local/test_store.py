"""Releases by way of a bucket: pushed, pulled, removed by the rule, on a real storage server.

Who pushes has the roles of a release author, and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials

from infra.manifests.access import CREATE, READ
from local.layout import ROOT
from local.storage.server import OWNER
from release import files, lock
from tests.local.emulator import storage_with_iam
from tests.local.plugins.names import fresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.emulator import Storage

TEST_ROOT = ROOT / "build" / "test"
_AUTHOR, _READER = "user:author@example.com", "user:reader@example.com"
_CALLERS = {"owner": OWNER, "author": _AUTHOR, "reader": _READER, "stranger": "user:stranger"}


@dataclass
class Model:
    """`python -m model` in a process of its own, as in the shell of `make env`."""

    storage: str
    caller: str = "author"

    def run(self, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        places = ["--out", str(root / "build"), "--lock", str(root / "models.lock.json")]
        own = {"STORAGE_EMULATOR_HOST": self.storage, "GOOGLE_OAUTH_ACCESS_TOKEN": self.caller}
        return subprocess.run(
            [sys.executable, "-m", "model", *arguments, *places],
            cwd=ROOT,
            env=os.environ | own,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def succeeds(self, root: Path, *arguments: str) -> str:
        """Run it. What it prints."""
        done = self.run(root, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def fails(self, root: Path, *arguments: str) -> str:
        """Run it. Its error."""
        done = self.run(root, *arguments)
        assert done.returncode == 1, done.stdout
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with storage_with_iam(tmp_path_factory.mktemp("storage"), _CALLERS) as running:
        yield running


@pytest.fixture
def model(served: Storage) -> Model:
    return Model(served.address)


@pytest.fixture
def bucket(served: Storage) -> Any:
    """The bucket to its owner."""
    credentials, options = Credentials("owner"), {"api_endpoint": served.address}
    owner = storage.Client(project="p", credentials=credentials, client_options=options)
    made = owner.create_bucket(fresh("artefacts"))
    policy = made.get_iam_policy(requested_policy_version=3)
    policy.bindings = [
        {"role": CREATE, "members": {_AUTHOR}},
        {"role": READ, "members": {_AUTHOR, _READER}},
    ]
    made.set_iam_policy(policy)
    return made


@pytest.fixture
def built(tmp_path: Path) -> Path:
    shutil.copytree(TEST_ROOT / "build", tmp_path / "build")
    shutil.copy(TEST_ROOT / "models.lock.json", tmp_path)
    return tmp_path


def digest(root: Path) -> str:
    return lock.read(root / "models.lock.json").find("digits", None).digest


def test_what_was_pushed_here_is_pulled_there_to_the_last_byte(
    built: Path, bucket: Any, model: Model
) -> None:
    url = f"gs://{bucket.name}/some/where"
    model.succeeds(built, "push", "digits", "--to", url)
    shutil.rmtree(built / "build")
    model.succeeds(built, "pull", "digits", "--from", url)
    folder = files.find(built / "build", "digits", digest(built))
    assert folder == built / "build" / "releases" / "digits" / digest(built)
    assert files.check(folder, digest(built)).name == "digits"


def test_pushing_again_changes_nothing(built: Path, bucket: Any, model: Model) -> None:
    for _ in range(2):
        model.succeeds(built, "push", "digits", "--to", f"gs://{bucket.name}")
    assert len(list(bucket.list_blobs())) == 3


def test_what_another_wrote_is_never_overwritten(built: Path, bucket: Any, model: Model) -> None:
    blob = bucket.blob(f"releases/digits/{digest(built)}/model.pt")
    blob.upload_from_string(b"other")
    error = model.fails(built, "push", "digits", "--to", f"gs://{bucket.name}")
    assert "has another content" in error
    assert blob.download_as_bytes() == b"other"
    assert not bucket.blob(f"releases/digits/{digest(built)}/release.json").exists()


def test_a_reader_pulls_and_does_not_push(built: Path, bucket: Any, model: Model) -> None:
    url = f"gs://{bucket.name}"
    model.caller = "reader"
    error = model.fails(built, "push", "digits", "--to", url)
    assert f"{_READER} does not have storage.objects.create access" in error
    model.caller = "author"
    model.succeeds(built, "push", "digits", "--to", url)
    shutil.rmtree(built / "build")
    model.caller = "reader"
    model.succeeds(built, "pull", "digits", "--from", url)


def test_a_token_that_is_not_valid_is_told_with_its_variable(
    built: Path, bucket: Any, model: Model
) -> None:
    model.caller = "expired"
    error = model.fails(built, "push", "digits", "--to", f"gs://{bucket.name}")
    assert "renew or unset GOOGLE_OAUTH_ACCESS_TOKEN" in error


def test_who_has_no_role_is_told_so(built: Path, bucket: Any, model: Model) -> None:
    model.caller = "stranger"
    shutil.rmtree(built / "build")
    error = model.fails(built, "pull", "digits", "--from", f"gs://{bucket.name}")
    assert "does not have storage.objects.list access" in error
    assert "roles/storage.objectViewer" in error


@pytest.mark.parametrize("file", ["model.pt", "release.json"])
def test_what_was_changed_in_the_bucket_is_refused(
    built: Path, bucket: Any, model: Model, file: str
) -> None:
    url = f"gs://{bucket.name}"
    model.succeeds(built, "push", "digits", "--to", url)
    bucket.blob(f"releases/digits/{digest(built)}/{file}").upload_from_string(b"{}")
    shutil.rmtree(built / "build")
    assert "it was changed in the bucket" in model.fails(built, "pull", "digits", "--from", url)
    assert files.find(built / "build", "digits", digest(built)) is None


def test_what_was_changed_here_is_not_pushed(built: Path, bucket: Any, model: Model) -> None:
    (built / "build" / "digits" / "model.pt").write_bytes(b"changed")
    model.fails(built, "push", "digits", "--to", f"gs://{bucket.name}")
    assert not list(bucket.list_blobs())


def test_a_missing_release_is_reported(built: Path, bucket: Any, model: Model) -> None:
    shutil.rmtree(built / "build")
    error = model.fails(built, "pull", "digits", "--from", f"gs://{bucket.name}")
    assert "python -m model push" in error
    error = model.fails(built, "pull", "digits", "--from", "gs://no-such-bucket-here")
    assert "gs://no-such-bucket-here: not there" in error


def test_a_stack_pulls_what_it_serves_though_nothing_else_of_the_lock_was_pushed(
    built: Path, bucket: Any, model: Model
) -> None:
    path, url = built / "models.lock.json", f"gs://{bucket.name}"
    raw = json.loads(path.read_text())
    current, earlier = (each["digest"] for each in raw["models"]["digits"])
    raw["models"]["digits"][1]["proven"] = {"dev": {"verdict": "pass"}}
    raw["models"]["another"] = raw["models"]["digits"]
    path.write_text(json.dumps(raw))
    model.succeeds(built, "push", "digits", "--release", earlier, "--to", url)
    shutil.rmtree(built / "build")
    for stack, promotion in (("dev", "{}"), ("prod", "{requires: dev}")):
        (built / f"Pulumi.{stack}.yaml").write_text(
            "config: {kserve-triton:models: {digits: {}}, "
            f"kserve-triton:promotion: {promotion}}}"
        )
    model.succeeds(built, "pull", "--stack", "prod", "--from", url)
    assert files.find(built / "build", "digits", earlier)
    error = model.fails(built, "pull", "--stack", "dev", "--from", url)
    assert f"{current}/release.json is not there" in error


@pytest.mark.parametrize(
    "words", [[], ["digits", "--stack", "prod"], ["--stack", "prod", "--release", "a" * 12]]
)
def test_one_model_or_a_stack_is_pulled(built: Path, model: Model, words: list[str]) -> None:
    error = model.fails(built, "pull", *words, "--from", "gs://bucket")
    assert "allowed: NAME [--release DIGEST], or --stack STACK" in error


def test_old_releases_go_by_the_rule_and_pinned_ones_stay(
    built: Path, bucket: Any, model: Model
) -> None:
    model.caller = "owner"
    path = built / "models.lock.json"
    raw = json.loads(path.read_text())
    raw["models"]["digits"][1]["digest"] = "a" * 64
    path.write_text(json.dumps(raw))
    (built / "Pulumi.prod.yaml").write_text(
        f"config: {{kserve-triton:models: {{digits: {{release: {'a' * 12}}}}}}}"
    )
    for at, release in enumerate(("a" * 64, "b" * 64, "c" * 64, digest(built))):
        prefix = f"models/digits/v{at}/digits"
        bucket.blob(f"{prefix}/1/model.pt").upload_from_string(b"model")
        config = bucket.blob(f"{prefix}/config.pbtxt")
        config.metadata = {"release": release}
        config.upload_from_string(b"config")
    prune = ["prune", "--bucket", f"gs://{bucket.name}", "--keep", "2", "--stacks", str(built)]
    assert "would be removed: digits v1" in model.succeeds(built, *prune)
    assert len(list(bucket.list_blobs())) == 8
    model.succeeds(built, *prune, "--yes")
    left = {blob.name.split("/")[2] for blob in bucket.list_blobs()}
    assert left == {"v0", "v2", "v3"}


def test_who_may_not_delete_loses_nothing_and_is_told_what_is_missing(
    built: Path, bucket: Any, model: Model
) -> None:
    for release in ("a" * 64, digest(built)):
        config = bucket.blob(f"models/digits/v{release[:2]}/digits/config.pbtxt")
        config.metadata = {"release": release}
        config.upload_from_string(b"config")
    before = {blob.name for blob in bucket.list_blobs()}
    prune = ["prune", "--bucket", f"gs://{bucket.name}", "--keep", "1", "--stacks", str(built)]
    error = model.fails(built, *prune, "--yes")
    assert f"gs://{bucket.name}/models/digits/vaa/digits/config.pbtxt can't be deleted" in error
    assert f"{_AUTHOR} does not have storage.objects.delete access" in error
    assert "roles/storage.objectUser" in error
    assert {blob.name for blob in bucket.list_blobs()} == before
