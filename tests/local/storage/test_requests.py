"""What requests to the JSON API need."""

from __future__ import annotations

import itertools
import json

import pytest

from local.storage.iam import Resource
from local.storage.requests import BadRequestError, Need, read

B = "/storage/v1/b"
CREATE = "storage.objects.create"


def needs(method: str, target: str, content_type: str = "", head: bytes = b"") -> set[Need] | None:
    call = read(method, target, content_type, head)
    return None if call is None else set(call.needs)


@pytest.mark.parametrize(
    ("method", "target", "permission", "resource"),
    [
        ("GET", f"{B}?project=p", "storage.buckets.list", Resource("")),
        ("POST", f"{B}?project=p", "storage.buckets.create", Resource("")),
        ("GET", f"{B}/one", "storage.buckets.get", Resource("one")),
        ("PATCH", f"{B}/one", "storage.buckets.update", Resource("one")),
        ("DELETE", f"{B}/one", "storage.buckets.delete", Resource("one")),
        ("GET", f"{B}/one/iam", "storage.buckets.getIamPolicy", Resource("one")),
        ("PUT", f"{B}/one/iam", "storage.buckets.setIamPolicy", Resource("one")),
        ("GET", f"{B}/one/o?prefix=a/", "storage.objects.list", Resource("one")),
        ("GET", f"{B}/one/o/a%2Fb?alt=media", "storage.objects.get", Resource("one", "a/b")),
        ("HEAD", f"/download{B}/one/o/a%2Fb", "storage.objects.get", Resource("one", "a/b")),
        ("DELETE", f"{B}/one/o/a%2Fb", "storage.objects.delete", Resource("one", "a/b")),
        ("PATCH", f"{B}/one/o/a%2Fb", "storage.objects.update", Resource("one", "a/b")),
    ],
)
def test_each_method_needs_one_permission(
    method: str, target: str, permission: str, resource: Resource
) -> None:
    assert needs(method, target) == {Need(permission, resource)}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", f"{B}/one/o/a/rewriteTo/b/two/o/c"),
        ("POST", f"{B}/one/o/a/compose"),
        ("POST", "/batch/storage/v1"),
        ("GET", "/one/a"),
        ("POST", "/_internal/delete_all"),
        ("POST", f"{B}/one/o/a"),
    ],
)
def test_the_rest_of_the_api_is_not_for_those_who_have_only_permissions(
    method: str, target: str
) -> None:
    assert needs(method, target) is None


METADATA = json.dumps({"name": "models/x"}).encode()
MULTIPART = b"--B\r\ncontent-type: application/json\r\n\r\n" + METADATA + b"\r\n--B\r\n\r\nweights"


@pytest.mark.parametrize(
    ("target", "content_type", "head"),
    [
        ("uploadType=media&name=models%2Fx", "text/plain", b"weights"),
        ("uploadType=resumable", "application/json", METADATA),
        ("uploadType=resumable&name=models/x", "application/json", b""),
        ("uploadType=multipart", "multipart/related; boundary=B", MULTIPART),
    ],
)
def test_each_kind_of_upload_creates_its_object(
    target: str, content_type: str, head: bytes
) -> None:
    found = needs("POST", f"/upload{B}/one/o?{target}", content_type, head)
    assert found == {Need(CREATE, Resource("one", "models/x"))}


def test_an_upload_with_two_names_needs_both() -> None:
    target = f"/upload{B}/one/o?uploadType=resumable&name=perf/y"
    assert needs("POST", target, "application/json", METADATA) == {
        Need(CREATE, Resource("one", "models/x")),
        Need(CREATE, Resource("one", "perf/y")),
    }


def test_the_pieces_of_an_upload_need_nothing_more() -> None:
    assert needs("PUT", f"/upload{B}/one/o?uploadType=resumable&name=x&upload_id=secret") == set()
    # What is no piece of an upload needs its permission, whatever its address says.
    assert needs("POST", f"/upload{B}/one/o?name=x&upload_id=secret")
    assert needs("PUT", f"/upload{B}/one/o/x?upload_id=secret")


@pytest.mark.parametrize(
    ("target", "head", "message"),
    [
        ("/one/o?uploadType=media", b"weights", "needs the object's name"),
        ("/one/o?uploadType=resumable", b"{", "metadata can't be read"),
        ("/one/o?uploadType=resumable", b"[]", "metadata can't be read"),
        ("/one/o?uploadType=resumable", b'{"name": "x", "bucket": "two"}', "another bucket"),
        ("/..%2Fproject/o?uploadType=media&name=x", b"", "invalid bucket name"),
    ],
)
def test_an_upload_without_a_plain_meaning_is_refused(
    target: str, head: bytes, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message):
        read("POST", f"/upload{B}{target}", "application/json", head)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("kind", ["", "/upload", "/download"])
def test_no_address_is_free(method: str, kind: str) -> None:
    for length in range(4):
        for parts in itertools.product(("one", "o", "x", "iam", ""), repeat=length):
            target = f"{kind}{B}/{'/'.join(parts)}?name=x"
            try:
                found = needs(method, target)
            except BadRequestError:
                continue
            assert found is None or found, target
