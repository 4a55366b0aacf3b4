"""Releases by way of a bucket: pushed, pulled, removed by the rule, on a real storage server.

Who pushes has the roles of a release author, and nothing else.
"""

from __future__ import annotations

import json
import shutil
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials

from infra.manifests.access import CREATE, READ
from local.layout import ROOT
from local.node.forwarding import Forwarder
from local.node.metadata import MetadataServer
from local.storage.server import OWNER
from model.__main__ import main
from release import files, lock, store
from release.schema import ReleaseError
from tests.local.emulator import storage_with_iam
from tests.local.plugins.names import fresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.emulator import Storage

TEST_ROOT = ROOT / "build" / "test"
_AUTHOR, _READER = "user:author@example.com", "user:reader@example.com"
_CALLERS = {"owner": OWNER, "author": _AUTHOR, "reader": _READER, "stranger": "user:stranger"}


class _Token:
    """The caller, as the metadata server asks for a pod's token."""

    def __init__(self) -> None:
        self.caller = "author"

    def get(self, _audience: str, seconds: int) -> tuple[str, float]:
        return self.caller, time.time() + seconds


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with storage_with_iam(tmp_path_factory.mktemp("storage"), _CALLERS) as running:
        yield running


@pytest.fixture
def token(served: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Token]:
    """Whose token Google's library finds in this process: the author's, unless it is changed."""
    token, listener, forwarder = _Token(), socket.create_server(("127.0.0.1", 0)), Forwarder()
    number = forwarder.serve(listener, MetadataServer(token).connect)
    host = "{}:{}".format(*listener.getsockname())
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
        monkeypatch.setenv(name, host)
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", served.address)
    # The person's own credentials are left alone.
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    yield token
    forwarder.stop(number)


@pytest.fixture
def bucket(served: Storage, token: _Token) -> Any:
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


def run(root: Path, *arguments: str) -> int:
    places = ["--out", str(root / "build"), "--lock", str(root / "models.lock.json")]
    return main([*arguments, *places])


def test_what_was_pushed_here_is_pulled_there_to_the_last_byte(built: Path, bucket: Any) -> None:
    url = f"gs://{bucket.name}/some/where"
    assert run(built, "push", "digits", "--to", url) == 0
    shutil.rmtree(built / "build")
    assert run(built, "pull", "digits", "--from", url) == 0
    folder = files.find(built / "build", "digits", digest(built))
    assert folder == built / "build" / "releases" / "digits" / digest(built)
    assert files.check(folder, digest(built)).name == "digits"


def test_pushing_again_changes_nothing(built: Path, bucket: Any) -> None:
    for _ in range(2):
        assert run(built, "push", "digits", "--to", f"gs://{bucket.name}") == 0
    assert len(list(bucket.list_blobs())) == 3


def test_what_another_wrote_is_never_overwritten(
    built: Path, bucket: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    blob = bucket.blob(f"releases/digits/{digest(built)}/model.pt")
    blob.upload_from_string(b"other")
    assert run(built, "push", "digits", "--to", f"gs://{bucket.name}") == 1
    assert "has another content" in capsys.readouterr().err
    assert blob.download_as_bytes() == b"other"
    assert not bucket.blob(f"releases/digits/{digest(built)}/release.json").exists()


def test_a_reader_pulls_and_does_not_push(
    built: Path, bucket: Any, token: _Token, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"gs://{bucket.name}"
    token.caller = "reader"
    assert run(built, "push", "digits", "--to", url) == 1
    assert f"{_READER} does not have storage.objects.create access" in capsys.readouterr().err
    token.caller = "author"
    assert run(built, "push", "digits", "--to", url) == 0
    shutil.rmtree(built / "build")
    token.caller = "reader"
    assert run(built, "pull", "digits", "--from", url) == 0


def test_who_has_no_role_is_told_so(
    built: Path, bucket: Any, token: _Token, capsys: pytest.CaptureFixture[str]
) -> None:
    token.caller = "stranger"
    shutil.rmtree(built / "build")
    assert run(built, "pull", "digits", "--from", f"gs://{bucket.name}") == 1
    assert "does not have storage.objects.list access" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["model.pt", "release.json"])
def test_what_was_changed_in_the_bucket_is_refused(built: Path, bucket: Any, file: str) -> None:
    run(built, "push", "digits", "--to", f"gs://{bucket.name}")
    bucket.blob(f"releases/digits/{digest(built)}/{file}").upload_from_string(b"{}")
    shutil.rmtree(built / "build")
    with pytest.raises(ReleaseError):
        store.pull("digits", digest(built), f"gs://{bucket.name}", built / "build", print)
    assert files.find(built / "build", "digits", digest(built)) is None


def test_what_was_changed_here_is_not_pushed(built: Path, bucket: Any) -> None:
    (built / "build" / "digits" / "model.pt").write_bytes(b"changed")
    assert run(built, "push", "digits", "--to", f"gs://{bucket.name}") == 1
    assert not list(bucket.list_blobs())


def test_a_missing_release_is_reported_in_one_line(
    built: Path, bucket: Any, token: _Token, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(built / "build")
    assert run(built, "pull", "--all", "--from", f"gs://{bucket.name}") == 1
    assert "python -m model push" in capsys.readouterr().err
    token.caller = "owner"
    assert run(built, "pull", "--all", "--from", "gs://no-such-bucket-here") == 1
    assert "gs://no-such-bucket-here: not there" in capsys.readouterr().err


def test_old_releases_go_by_the_rule_and_pinned_ones_stay(
    built: Path, bucket: Any, token: _Token, capsys: pytest.CaptureFixture[str]
) -> None:
    token.caller = "owner"
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
    assert run(built, *prune) == 0
    assert "would be removed: digits v1" in capsys.readouterr().out
    assert len(list(bucket.list_blobs())) == 8
    assert run(built, *prune, "--yes") == 0
    left = {blob.name.split("/")[2] for blob in bucket.list_blobs()}
    assert left == {"v0", "v2", "v3"}
