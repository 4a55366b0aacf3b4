"""Volumes that follow their objects."""

from __future__ import annotations

import datetime
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.api import ApiError
from local.node.variables import ConfigError
from local.node.volumes import Volumes
from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from pathlib import Path

    from local.node.host import Host
    from tests.local.node.conftest import Pods


@dataclass
class _Host:
    """What volumes need of a node, with a clock for tokens."""

    objects: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    tokens: int = 0
    lives: float = 3600.0
    down: bool = False

    @property
    def api(self) -> _Host:
        return self

    def look_up(self, namespace: str, kind: str, name: str) -> dict[str, bytes] | None:
        assert namespace == "ns"
        if self.down:
            raise ApiError(0, "down")
        return self.objects.get((kind, name))

    def request(self, method: str, path: str, body: Any) -> dict[str, Any]:
        assert (method, path) == ("POST", "/api/v1/namespaces/ns/serviceaccounts/default/token")
        if self.down:
            raise ApiError(0, "down")
        self.tokens += 1
        ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lives)
        status = {"token": f"token {self.tokens}", "expirationTimestamp": ends.isoformat()}
        return {**body, "status": status}


def _pod(*volumes: dict[str, Any], **labels: str) -> dict[str, Any]:
    about = {"namespace": "ns", "name": "pod", "uid": "1", "labels": labels}
    named = [{"name": f"v{n}", **each} for n, each in enumerate(volumes)]
    return {"metadata": about, "spec": {"volumes": named, "containers": []}}


def _prepared(host: _Host, pod: dict[str, Any], folder: Path) -> Volumes:
    volumes = Volumes(cast("Host", host), pod, folder)
    volumes.prepare()
    return volumes


_TOKEN = {"serviceAccountToken": {"path": "token"}}
_LABELS = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}


def test_only_volumes_with_the_object_are_read_again(tmp_path: Path) -> None:
    host = _Host({("configmap", "a"): {"x": b"1"}, ("secret", "a"): {"y": b"1"}})
    pod = _pod(
        {"configMap": {"name": "a"}}, {"projected": {"sources": [{"secret": {"name": "a"}}]}}
    )
    volumes = _prepared(host, pod, tmp_path)
    assert not volumes.note("configmap", "b")
    host.objects = {("configmap", "a"): {"x": b"2"}, ("secret", "a"): {"y": b"2"}}
    volumes.update(pod)
    assert (tmp_path / "v0" / "x").read_bytes() == b"1", "read without a reason"
    assert volumes.note("secret", "a")
    volumes.update(pod)
    assert (tmp_path / "v1" / "y").read_bytes() == b"2"


def test_a_key_that_is_gone_leaves_no_file(tmp_path: Path) -> None:
    host = _Host({("configmap", "a"): {"x": b"1", "y": b"1"}})
    pod = _pod({"configMap": {"name": "a"}})
    volumes = _prepared(host, pod, tmp_path)
    host.objects["configmap", "a"] = {"y": b"1"}
    volumes.note("configmap", "a")
    volumes.update(pod)
    assert {each.name for each in (tmp_path / "v0").glob("[!.]*")} == {"y"}


def test_the_files_of_a_deleted_object_stay_unless_it_is_optional(tmp_path: Path) -> None:
    host = _Host({("configmap", "a"): {"x": b"1"}})
    pod = _pod({"configMap": {"name": "a"}}, {"configMap": {"name": "a", "optional": True}})
    volumes = _prepared(host, pod, tmp_path)
    host.objects.clear()
    volumes.note("configmap", "a")
    volumes.update(pod)
    assert (tmp_path / "v0" / "x").read_bytes() == b"1"
    assert not (tmp_path / "v1" / "x").exists()


def test_a_missing_object_fails_the_preparation(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="configmap 'a' not found"):
        _prepared(_Host(), _pod({"configMap": {"name": "a"}}), tmp_path)


def test_labels_are_followed(tmp_path: Path) -> None:
    volumes = _prepared(_Host(), _pod({"downwardAPI": {"items": [_LABELS]}}, a="1"), tmp_path)
    volumes.update(_pod({"downwardAPI": {"items": [_LABELS]}}, a="2"))
    assert (tmp_path / "v0" / "labels").read_text() == 'a="2"'


def test_an_update_is_tried_again_while_the_api_server_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _Host({("configmap", "a"): {"x": b"1"}})
    pod = _pod({"configMap": {"name": "a"}})
    volumes = _prepared(host, pod, tmp_path)
    host.objects["configmap", "a"], host.down = {"x": b"2"}, True
    volumes.note("configmap", "a")
    volumes.update(pod)
    assert (tmp_path / "v0" / "x").read_bytes() == b"1"
    host.down, later = False, time.time() + 5
    monkeypatch.setattr(time, "time", lambda: later)
    volumes.update(pod)
    assert (tmp_path / "v0" / "x").read_bytes() == b"2"


def test_a_token_is_renewed_before_it_expires_and_not_with_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = _Host({("configmap", "a"): {"x": b"1"}})
    pod = _pod({"projected": {"sources": [_TOKEN, {"configMap": {"name": "a"}}]}})
    volumes = _prepared(host, pod, tmp_path)
    host.objects["configmap", "a"] = {"x": b"2"}
    volumes.note("configmap", "a")
    volumes.update(pod)
    token = tmp_path / "v0" / "token"
    assert (token.read_text(), token.stat().st_mode & 0o777) == ("token 1", 0o600)
    late = time.time() + 0.85 * host.lives
    monkeypatch.setattr(time, "time", lambda: late)
    host.down = True
    volumes.update(pod)
    assert token.read_text() == "token 1"
    host.down = False
    monkeypatch.setattr(time, "time", lambda: late + 5)
    volumes.update(pod)
    assert token.read_text() == "token 2"


_FOLLOW = """
import json, pathlib, time
last = None
while True:
    found = {p: pathlib.Path(p).read_text() for p in %r}
    if found != last:
        last = found
        print(json.dumps(found), flush=True)
    time.sleep(0.02)
"""


def test_a_running_container_sees_changes_within_seconds(pods: Pods) -> None:
    """Of ConfigMaps and Secrets, alone and projected; not where one file is mounted."""
    pods.make("configmaps", {"metadata": {"name": "follow"}, "data": {"a": "1", "b": "1"}})
    pods.make("secrets", {"metadata": {"name": "follow"}, "stringData": {"key": "1"}})
    sources = [{"configMap": {"name": "follow"}}, {"secret": {"name": "follow"}}]
    volumes = [
        {"name": "config", "configMap": {"name": "follow"}},
        {"name": "all", "projected": {"sources": sources}},
        {"name": "labels", "downwardAPI": {"items": [_LABELS]}},
    ]
    mounts = [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes]
    mounts.append({"name": "config", "mountPath": "/etc/fixed", "subPath": "a"})
    watched = ("/config/a", "/all/b", "/all/key", "/labels/labels", "/etc/fixed")
    name = pods.run(
        python(_FOLLOW % (watched,), volumeMounts=mounts), volumes=volumes, labels={"v": "1"}
    )
    path = "/api/v1/namespaces/pods"

    def seen() -> list[str]:
        last = pods.log(name).splitlines()[-1]
        return list(json.loads(last).values())

    eventually(lambda: seen() == ["1", "1", "1", 'v="1"', "1"])
    pods.cluster.api.merge(f"{path}/configmaps/follow", {"data": {"a": "2", "b": "2"}})
    eventually(lambda: seen() == ["2", "2", "1", 'v="1"', "1"], patience=5)
    pods.cluster.api.merge(f"{path}/secrets/follow", {"stringData": {"key": "3"}})
    eventually(lambda: seen() == ["2", "2", "3", 'v="1"', "1"], patience=5)
    pods.cluster.api.merge(f"{path}/pods/{name}", {"metadata": {"labels": {"v": "4"}}})
    eventually(lambda: seen() == ["2", "2", "3", 'v="4"', "1"], patience=5)
    pods.delete(name)


_RESTART = """
import pathlib, time
fixed = pathlib.Path('/fixed').read_text()
print(fixed, flush=True)
while pathlib.Path('/config/a').read_text() == fixed:
    time.sleep(0.02)
raise SystemExit(1)
"""


def test_a_single_file_is_the_newest_after_a_restart_of_the_container(pods: Pods) -> None:
    pods.make("configmaps", {"metadata": {"name": "restarted"}, "data": {"a": "1"}})
    mounts = [
        {"name": "config", "mountPath": "/config"},
        {"name": "config", "mountPath": "/fixed", "subPath": "a"},
    ]
    volumes = [{"name": "config", "configMap": {"name": "restarted"}}]
    container = python(_RESTART, volumeMounts=mounts)
    name = pods.run(container, volumes=volumes, restartPolicy="Always")
    eventually(lambda: pods.log(name) == "1\n")
    path = "/api/v1/namespaces/pods/configmaps/restarted"
    pods.cluster.api.merge(path, {"data": {"a": "2"}})
    eventually(lambda: pods.log(name) == "2\n")
    assert pods.status(name)["restartCount"] == 1
    pods.delete(name)
