"""Pods as callers of Google: their metadata server, and the storage that asks for a token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from local.node.metadata import ADDRESS
from local.storage.identity import AUDIENCE, PROJECT, account_member
from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods

_BUCKET = "identity-test"
_METADATA = "http://{}:{}/computeMetadata/v1".format(*ADDRESS)
_ASK = f"""
import json, urllib.error, urllib.request
def ask(url, **headers):
    named = {{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=named)) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
def metadata(path):
    return ask("{_METADATA}/" + path, Metadata_Flavor="Google")[1]
def token():
    return json.loads(metadata("instance/service-accounts/default/token"))["access_token"]
"""


@pytest.fixture(scope="module")
def storage(pods: Pods) -> str:
    """The storage's address: a bucket with one object, which the account `reader` may read."""
    layout = pods.cluster.layout
    address, owner = layout.storage(), layout.owner()
    policy = {
        "bindings": [
            {
                "role": "roles/storage.objectViewer",
                "members": [account_member(pods.namespace, "reader")],
            }
        ]
    }
    upload = f"{address}/upload/storage/v1/b/{_BUCKET}/o?uploadType=media&name=a"
    for method, url, body in (
        ("POST", f"{address}/storage/v1/b?project=p", json.dumps({"name": _BUCKET})),
        ("POST", upload, "content"),
        ("PUT", f"{address}/storage/v1/b/{_BUCKET}/iam", json.dumps(policy)),
    ):
        answer = urllib3.request(method, url, body=body.encode(), headers=owner)
        assert answer.status == 200, answer.data
    pods.make("serviceaccounts", {"metadata": {"name": "reader"}})
    return address


def _read(pods: Pods, storage: str, headers: str, **spec: Any) -> tuple[int, str]:
    """Status and text of a pod's request for the object, with these headers."""
    url = f"{storage}/storage/v1/b/{_BUCKET}/o/a?alt=media"
    code = f'{_ASK}\nprint(json.dumps(ask("{url}", {headers})))'
    status, text = pods.output(pods.run(python(code), **spec))
    return status, text


_TOKEN = 'Authorization="Bearer " + token()'


def test_an_account_with_a_role_reads(pods: Pods, storage: str) -> None:
    found = _read(pods, storage, _TOKEN, serviceAccountName="reader")
    assert found == (200, "content")


def test_an_account_without_one_is_refused(pods: Pods, storage: str) -> None:
    status, text = _read(pods, storage, _TOKEN)
    assert status == 403
    assert f"{account_member(pods.namespace, 'default')} does not have" in text


def test_a_request_without_a_token_is_refused(pods: Pods, storage: str) -> None:
    status, text = _read(pods, storage, "", serviceAccountName="reader")
    assert status == 401
    assert "Anonymous caller" in text


def test_a_token_for_the_api_server_is_none_for_the_storage(pods: Pods, storage: str) -> None:
    mounted = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    headers = f'Authorization="Bearer " + open("{mounted}").read()'
    assert _read(pods, storage, headers, serviceAccountName="reader")[0] == 401


def test_a_token_ends_with_its_pod(pods: Pods, storage: str) -> None:
    name = pods.run(
        python(f"{_ASK}\nprint(token())\nimport time; time.sleep(600)"),
        serviceAccountName="reader",
    )
    token = eventually(lambda: pods.log(name).strip())
    url = f"{storage}/storage/v1/b/{_BUCKET}/o/a?alt=media"

    def status() -> int:
        own = {"Authorization": f"Bearer {token}"}
        return urllib3.request("GET", url, headers=own).status

    assert status() == 200
    pods.delete(name)
    eventually(lambda: status() == 401)


def test_googles_library_finds_storage_and_credentials(pods: Pods, storage: str) -> None:
    host = "{}:{}".format(*ADDRESS)
    variables = {
        "API_ENDPOINT_OVERRIDE": storage,
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
    }
    code = f"""
import json
from google.cloud import storage
client = storage.Client()
(blob,) = client.bucket("{_BUCKET}").list_blobs()
print(json.dumps([client.project, blob.download_as_text()]))
"""
    env = [{"name": name, "value": value} for name, value in variables.items()]
    name = pods.run(python(code, env=env), serviceAccountName="reader")
    assert pods.output(name) == [PROJECT, "content"]


def test_the_metadata_server_answers_who_asks_as_a_library_does(pods: Pods) -> None:
    account = "instance/service-accounts/default"
    code = f"""{_ASK}
print(json.dumps([
    ask("{_METADATA}/{account}/token")[0],
    ask("{_METADATA}/nothing", Metadata_Flavor="Google")[0],
    metadata("{account}/email"),
]))"""
    assert pods.output(pods.run(python(code))) == [403, 404, AUDIENCE]
