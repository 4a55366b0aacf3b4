"""Objects in buckets on the storage emulator."""

from __future__ import annotations

import base64
import hashlib
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from local.plugins.wire import UNKNOWN, Asset, Properties
from tests.local.plugins.protocol import Failed, Plugin, Rejected, State, Step

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = "gcp:storage/bucketObject:BucketObject"


def put(plugin: Plugin, bucket: State, old: State | None = None, **inputs: Any) -> Step:
    given = {"bucket": bucket["name"], "name": "a/model.pt"} | inputs
    return plugin.deploy(OBJECT, "model", given, old)


def content(emulator: str, bucket: State, name: str = "a/model.pt") -> bytes:
    url = f"{emulator}/download/storage/v1/b/{bucket['name']}/o/{quote(name, safe='')}?alt=media"
    with urllib.request.urlopen(url) as response:
        return bytes(response.read())


class TestObject:
    def test_text_is_uploaded_with_its_hashes(
        self, gcp: Plugin, bucket: State, emulator: str
    ) -> None:
        made = put(gcp, bucket, source=Asset(text="hello")).state
        assert content(emulator, bucket) == b"hello"
        assert made.id == f"{bucket.id}-a/model.pt"
        assert made["md5hash"] == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
        assert made["detectMd5hash"] == made["md5hash"]
        assert made["md5hexhash"] == hashlib.md5(b"hello").hexdigest()
        assert made["crc32c"] == "mnG7TA=="
        assert made["outputName"] == "a/model.pt"
        assert made["selfLink"].endswith("/o/a%2Fmodel.pt")
        assert made["generation"] > 0

    def test_200_megabytes_go_through(
        self, gcp: Plugin, bucket: State, big_file: Path, emulator: str
    ) -> None:
        made = put(gcp, bucket, source=Asset(path=str(big_file))).state
        assert made["md5hexhash"] == hashlib.md5(big_file.read_bytes()).hexdigest()

    def test_the_same_content_elsewhere_is_the_same(
        self, gcp: Plugin, bucket: State, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("hello")
        made = put(gcp, bucket, source=Asset(path=str(tmp_path / "file"))).state
        (tmp_path / "file").rename(tmp_path / "moved")
        step = put(gcp, bucket, made, source=Asset(path=str(tmp_path / "moved")))
        assert step.operations == []

    def test_new_source_replaces_and_deletes_first(
        self, gcp: Plugin, bucket: State, emulator: str
    ) -> None:
        made = put(gcp, bucket, source=Asset(text="one")).state
        step = put(gcp, bucket, made, source=Asset(text="two"))
        assert step.operations == ["delete", "create"]
        assert step.changes == {"source": "UPDATE_REPLACE"}
        assert content(emulator, bucket) == b"two"

    def test_new_source_and_name_still_delete_first(self, gcp: Plugin, bucket: State) -> None:
        made = put(gcp, bucket, source=Asset(text="one")).state
        step = put(gcp, bucket, made, name="b/model.pt", source=Asset(text="two"))
        assert step.operations == ["delete", "create"]

    def test_content_is_secret_and_changes_in_place(
        self, gcp: Plugin, bucket: State, emulator: str
    ) -> None:
        made = put(gcp, bucket, content="one").state
        assert ("content",) in made.outputs.secrets
        step = put(gcp, bucket, made, content="two")
        assert step.operations == ["update"]
        assert content(emulator, bucket) == b"two"

    def test_content_changed_by_another_client_is_detected_and_replaced(
        self, gcp: Plugin, bucket: State, emulator: str
    ) -> None:
        made = put(gcp, bucket, source=Asset(text="one")).state
        put(gcp, bucket, content="tampered")
        assert put(gcp, bucket, made, source=Asset(text="one")).operations == []
        refreshed = gcp.refresh(made)
        assert refreshed is not None
        step = put(gcp, bucket, refreshed, source=Asset(text="one"))
        assert step.operations == ["delete", "create"]
        assert step.changes == {"detectMd5hash": "UPDATE_REPLACE"}
        assert content(emulator, bucket) == b"one"

    def test_refresh_without_a_change_shows_none(self, gcp: Plugin, bucket: State) -> None:
        metadata = {"digest": "abc"}
        inputs: dict[str, Any] = {"cacheControl": "no-cache", "metadata": metadata, "content": "x"}
        made = put(gcp, bucket, **inputs).state
        refreshed = gcp.refresh(made)
        assert refreshed is not None
        assert refreshed.outputs == made.outputs
        assert refreshed.inputs == made.inputs
        assert put(gcp, bucket, refreshed, **inputs).operations == []

    def test_deleted_by_another_client(self, gcp: Plugin, bucket: State) -> None:
        made = put(gcp, bucket, content="x").state
        gcp.delete(made)
        assert gcp.refresh(made) is None
        gcp.delete(made)

    def test_import_takes_bucket_and_name_and_reads_the_content(
        self, gcp: Plugin, bucket: State
    ) -> None:
        put(gcp, bucket, source=Asset(text="hello"))
        found = gcp.get(OBJECT, "model", f"{bucket.id}/a/model.pt")
        assert found is not None
        assert put(gcp, bucket, found, source=Asset(text="hello")).operations == []
        assert put(gcp, bucket, found, source=Asset(text="other")).operations != []

    def test_preview_uploads_nothing(self, gcp: Plugin, bucket: State) -> None:
        inputs = {"bucket": UNKNOWN, "name": "x", "source": Asset(text="x")}
        made = gcp.deploy(OBJECT, "model", inputs, preview=True).state
        assert made["md5hash"] is UNKNOWN
        assert made["selfLink"] is UNKNOWN
        made = put(gcp, bucket, source=Asset(text="x")).state
        checked = gcp.check(OBJECT, "model", made.inputs.values | {"source": Asset(text="y")})
        assert gcp.update(made, checked, preview=True)["md5hash"] is UNKNOWN
        refreshed = gcp.refresh(made)
        assert refreshed is not None
        assert refreshed["md5hash"] == made["md5hash"]

    def test_needs_a_name_and_a_bucket(self, gcp: Plugin) -> None:
        with pytest.raises(Rejected) as caught:
            gcp.check(OBJECT, "model", {"content": "x"})
        assert set(caught.value.failures) == {"bucket", "name"}

    @pytest.mark.parametrize("extra", [{}, {"source": Asset(text="x"), "content": "x"}])
    def test_needs_exactly_one_content(self, gcp: Plugin, extra: dict[str, Any]) -> None:
        with pytest.raises(Rejected, match="one of source and content"):
            gcp.check(OBJECT, "model", {"bucket": "b", "name": "n", **extra})

    def test_into_a_missing_bucket_fails_with_its_name(self, gcp: Plugin) -> None:
        with pytest.raises(Failed, match="gs://no-such-bucket/x"):
            gcp.deploy(OBJECT, "m", {"bucket": "no-such-bucket", "name": "x", "content": "x"})

    def test_a_missing_file_fails_with_its_path(self, gcp: Plugin, bucket: State) -> None:
        inputs = {"bucket": bucket.id, "name": "x", "source": Asset(path="/no/file", hash="00")}
        with pytest.raises(Failed, match="/no/file"):
            gcp.create(OBJECT, "m", Properties(inputs))
