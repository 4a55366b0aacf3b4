"""The storage emulator behind IAM, as Google's library and the Jobs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from google.api_core.exceptions import Forbidden, NotFound, PreconditionFailed, Unauthorized
from google.cloud import storage
from google.oauth2.credentials import Credentials

from infra.manifests.access import CREATE, READ, Grant
from local.storage.server import HEALTH, OWNER
from tests.local.emulator import Storage, storage_with_iam
from tests.local.plugins.names import fresh

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS = {"owner": OWNER} | {name: f"user:{name}" for name in ("reader", "writer", "nobody")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    with storage_with_iam(tmp_path_factory.mktemp("storage"), _MEMBERS) as running:
        yield running


def as_caller(served: Storage, token: str, bucket: str) -> Any:
    """A bucket as the library gives it to the caller with a token."""
    client = storage.Client(
        project="p",
        credentials=Credentials(token),
        client_options={"api_endpoint": served.address},
    )
    return client.bucket(bucket)


@pytest.fixture
def bucket(served: Storage) -> str:
    """A bucket with a model and a result, `reader` of the models and `writer` of results."""
    name = fresh("bucket")
    owner = as_caller(served, "owner", name)
    owner.create()
    for path in ("models/a", "perf/a"):
        owner.blob(path).upload_from_string(path)
    grants = Grant("user:reader", READ, "models/"), Grant("user:writer", CREATE, "perf/")
    policy = owner.get_iam_policy(requested_policy_version=3)
    policy.version = 3
    policy.bindings = [
        {"role": each.role, "members": {each.member}, "condition": each.condition(name)}
        for each in grants
    ]
    owner.set_iam_policy(policy)
    return name


def test_a_reader_reads_its_prefix_and_nothing_else(served: Storage, bucket: str) -> None:
    mine = as_caller(served, "reader", bucket)
    assert [each.name for each in mine.list_blobs(prefix="models/")] == ["models/a"]
    assert mine.blob("models/a").download_as_bytes() == b"models/a"
    with pytest.raises(Forbidden, match=r"storage\.objects\.get"):
        mine.blob("perf/a").download_as_bytes()
    with pytest.raises(Forbidden, match=r"storage\.objects\.create"):
        mine.blob("models/b").upload_from_string("b")
    with pytest.raises(Forbidden, match=r"storage\.objects\.delete"):
        mine.blob("models/a").delete()
    with pytest.raises(Forbidden, match=r"storage\.buckets\.getIamPolicy"):
        mine.get_iam_policy()


def test_a_writer_adds_to_its_prefix_and_replaces_nothing(served: Storage, bucket: str) -> None:
    mine = as_caller(served, "writer", bucket)
    mine.blob("perf/b").upload_from_string("b")
    with pytest.raises(Forbidden, match=r"storage\.objects\.delete"):
        mine.blob("perf/b").upload_from_string("c")
    with pytest.raises(Forbidden, match=r"storage\.objects\.get"):
        mine.blob("perf/b").download_as_bytes()
    with pytest.raises(Forbidden, match=r"storage\.objects\.list"):
        list(mine.list_blobs())
    with pytest.raises(Forbidden, match=r"storage\.objects\.create"):
        mine.blob("models/b").upload_from_string("b")
    assert as_caller(served, "owner", bucket).blob("perf/b").download_as_bytes() == b"b"


def test_an_upload_in_pieces_is_judged_by_its_beginning(served: Storage, bucket: str) -> None:
    # Above 8 MiB the library uploads in pieces.
    content = b"x" * (9 << 20)
    for caller, path, allowed in (("writer", "perf/big", True), ("reader", "perf/more", False)):
        blob = as_caller(served, caller, bucket).blob(path, chunk_size=4 << 20)
        if allowed:
            blob.upload_from_string(content)
            stored = as_caller(served, "owner", bucket).blob(path)
            assert stored.download_as_bytes() == content
        else:
            with pytest.raises(Forbidden):
                blob.upload_from_string(content)


@pytest.mark.parametrize(("token", "error"), [("nobody", Forbidden), ("invalid", Unauthorized)])
def test_who_has_no_role_gets_nothing(
    served: Storage, bucket: str, token: str, error: type[Exception]
) -> None:
    url = f"{served.address}/storage/v1/b/{bucket}/o/models%2Fa?alt=media"
    answer = urllib3.request("GET", url, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == error("").code  # type: ignore[attr-defined]
    assert b"models/a" not in answer.data


def test_without_a_token_nothing_is_answered(served: Storage, bucket: str) -> None:
    answer = urllib3.request("GET", f"{served.address}/storage/v1/b/{bucket}/o/models%2Fa")
    assert answer.status == 401
    assert "Anonymous caller does not have storage.objects.get" in answer.json()["error"]["message"]


def test_the_log_has_what_is_refused_and_no_checks_of_health(
    served: Storage, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert urllib3.request("GET", f"{served.address}{HEALTH}").status == 200
    assert urllib3.request("GET", f"{served.address}/storage/v1/b/{bucket}").status == 401
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"401 GET /storage/v1/b/{bucket}: Anonymous caller")


def test_a_refused_upload_is_answered_however_large_it_is(served: Storage, bucket: str) -> None:
    url = f"{served.address}/upload/storage/v1/b/{bucket}/o?uploadType=media&name=models/b"
    own = {"Authorization": "Bearer writer"}
    answer = urllib3.request("POST", url, body=b"x" * (32 << 20), headers=own, retries=False)
    assert answer.status == 403


def test_the_owner_uses_the_whole_api(served: Storage, bucket: str) -> None:
    owner = as_caller(served, "owner", bucket)
    copied = owner.copy_blob(owner.blob("models/a"), owner, "models/copy")
    assert copied.download_as_bytes() == b"models/a"
    with pytest.raises(Forbidden, match="is not part of what the local storage offers"):
        mine = as_caller(served, "reader", bucket)
        mine.copy_blob(mine.blob("models/a"), mine, "models/copy2")


def test_of_two_changes_of_one_policy_the_second_is_refused(served: Storage, bucket: str) -> None:
    owner = as_caller(served, "owner", bucket)
    first, second = owner.get_iam_policy(), owner.get_iam_policy()
    first.bindings = []
    owner.set_iam_policy(first)
    with pytest.raises(PreconditionFailed):
        owner.set_iam_policy(second)
    with pytest.raises(Forbidden):
        as_caller(served, "reader", bucket).blob("models/a").download_as_bytes()


@pytest.mark.parametrize("caller", ["owner", "nobody"])
def test_a_bucket_that_is_not_there_is_told_to_everybody(served: Storage, caller: str) -> None:
    missing = as_caller(served, caller, "nowhere")
    for ask in (missing.get_iam_policy, missing.reload, missing.blob("a").download_as_bytes):
        with pytest.raises(NotFound):
            ask()


def test_a_policy_that_is_no_json_is_answered_however_large_it_is(
    served: Storage, bucket: str
) -> None:
    url = f"{served.address}/storage/v1/b/{bucket}/iam"
    own = {"Authorization": "Bearer owner"}
    answer = urllib3.request("PUT", url, body=b"{" * (1 << 17), headers=own, retries=False)
    assert answer.status == 400
    assert "the policy is not JSON" in answer.json()["error"]["message"]
