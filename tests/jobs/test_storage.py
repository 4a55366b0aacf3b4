"""Storage of a load test's result, and errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jobs import gcs
from jobs.load import storage
from jobs.load.storage import report_place, store, store_page
from jobs.load.vegeta import LoadError
from tests.jobs.server import Asked, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPLOAD = (
    "/upload/storage/v1/b/bucket/o?uploadType=media&name=perf%2Fdigits+1.json&ifGenerationMatch=0"
)
TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"


class Google:
    """The two addresses of Google's that an upload needs, as far as it needs them."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.body = b"{}"
        self.uploads: list[Asked] = []
        self.server = Server(self._answer)

    def _answer(self, asked: Asked) -> tuple[int, bytes]:
        if asked.method == "POST":
            self.uploads.append(asked)
            return (self.statuses.pop(0) if self.statuses else 200), self.body
        known = asked.path == TOKEN and asked.headers["Metadata-Flavor"] == "Google"
        return (200, b'{"access_token": "secret"}') if known else (404, b"")


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.delenv("API_ENDPOINT_OVERRIDE", raising=False)
    monkeypatch.setattr(storage, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
    made = Google()
    with made.server:
        yield made


def test_a_file_is_canonical_json(tmp_path: Path) -> None:
    store({"b": 1, "a": 2}, str(tmp_path / "result.json"))
    assert (tmp_path / "result.json").read_text() == '{\n "a": 2,\n "b": 1\n}\n'


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"can't be written to .*No such file or directory"):
        store({}, str(tmp_path / "nowhere" / "result.json"))


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_emulator_gets_it_without_a_token(
    google: Google, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", scheme + google.server.address)
    store({"verdict": "pass"}, "gs://bucket/perf/digits 1.json")
    (upload,) = google.uploads
    assert upload.path == UPLOAD
    assert "Authorization" not in upload.headers
    assert json.loads(upload.body) == {"verdict": "pass"}


def test_page_is_uploaded_as_one(google: Google, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.server.address)
    store_page("<p>é</p>", "gs://bucket/perf/report.html")
    (upload,) = google.uploads
    assert upload.headers["Content-Type"] == "text/html; charset=utf-8"
    assert upload.body == "<p>é</p>".encode()


@pytest.mark.parametrize(
    ("place", "beside"),
    [
        ("gs://bucket/perf/digits/1/result.json", "gs://bucket/perf/digits/1/report.html"),
        ("/tmp/result.json", "/tmp/report.html"),
        ("result.json", "report.html"),
        ("/tmp/digits.json", "/tmp/digits.html"),
        ("/tmp.json/digits", "/tmp.json/digits.html"),
    ],
)
def test_page_is_beside_its_result(place: str, beside: str) -> None:
    assert report_place(place) == beside


def test_google_gets_it_with_the_pods_identity(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", google.server.address)
    monkeypatch.setattr(gcs, "STORAGE", f"http://{google.server.address}")
    google.statuses = [503]
    store({}, "gs://bucket/perf/digits 1.json")
    tokens = [upload.headers["Authorization"] for upload in google.uploads]
    assert tokens == ["Bearer secret"] * 2


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (503, 3)])
def test_failed_upload_has_its_cause(
    google: Google, monkeypatch: pytest.MonkeyPatch, status: int, tries: int
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.server.address)
    google.statuses = [status] * 3
    with pytest.raises(LoadError, match=f"uploaded to gs://bucket/r.json: status {status}"):
        store({}, "gs://bucket/r.json")
    assert len(google.uploads) == tries


@pytest.mark.parametrize(
    ("status", "body"),
    [(412, b"{}"), (403, b"perf does not have storage.objects.delete access to the object.")],
)
def test_a_result_that_an_attempt_without_an_answer_stored_is_not_stored_again(
    google: Google, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google.server.address)
    google.statuses, google.body = [503, status], body
    store({}, "gs://bucket/r.json")
    assert len(google.uploads) == 2


def test_another_endpoint_is_asked_with_a_token(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", google.server.address)
    monkeypatch.setenv("API_ENDPOINT_OVERRIDE", f"http://{google.server.address}")
    store({}, "gs://bucket/r.json")
    (upload,) = google.uploads
    assert upload.headers["Authorization"] == "Bearer secret"


def test_a_missing_metadata_server_is_reported(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    with pytest.raises(LoadError, match="Connection refused"):
        store({}, "gs://bucket/r.json")
