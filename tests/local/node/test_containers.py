"""Containers: their volumes and environment, their ends, and their statuses."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from tests.local.cluster import eventually
from tests.local.node.conftest import python

if TYPE_CHECKING:
    from tests.local.node.conftest import Pods


def test_init_containers_run_in_order_and_share_volumes(pods: Pods) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    add = "import sys; open('/shared/trace', 'a').write(sys.argv[1])"
    init = [
        {**python(add, volumeMounts=mounts), "name": f"init{n}", "args": ["-c", add, str(n)]}
        for n in range(3)
    ]
    read = python("import json; print(json.dumps(open('/shared/trace').read()))")
    name = pods.run(
        {**read, "volumeMounts": mounts},
        initContainers=init,
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    assert pods.output(name) == "012"
    states = pods.get(name)["status"]["initContainerStatuses"]
    assert [each["state"]["terminated"]["reason"] for each in states] == ["Completed"] * 3


def test_a_failing_init_container_fails_the_pod(pods: Pods) -> None:
    init = [{**python("raise SystemExit(4)"), "name": "init"}]
    name = pods.run(python("print('never')"), initContainers=init)
    status = pods.phase(name, "Failed")["status"]
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 4
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"


def test_volumes_of_every_kind(pods: Pods) -> None:
    pods.make("configmaps", {"metadata": {"name": "words"}, "data": {"a": "A", "b": "B"}})
    pods.make("secrets", {"metadata": {"name": "hidden"}, "stringData": {"key": "value"}})
    volumes = [
        {"name": "words", "configMap": {"name": "words"}},
        {"name": "one", "configMap": {"name": "words", "items": [{"key": "b", "path": "x/y"}]}},
        {"name": "hidden", "secret": {"secretName": "hidden"}},
        {"name": "fast", "emptyDir": {"medium": "Memory"}},
        {
            "name": "all",
            "projected": {
                "sources": [
                    {"secret": {"name": "hidden"}},
                    {
                        "downwardAPI": {
                            "items": [
                                {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
                            ]
                        }
                    },
                ]
            },
        },
    ]
    code = """
import json, os, pathlib
found = {p: pathlib.Path(p).read_text() for p in (
    '/words/a', '/one/x/y', '/hidden/key', '/all/key', '/all/labels', '/etc/only/a')}
found['files'] = sorted(n for n in os.listdir('/words') if not n.startswith('..'))
try:
    open('/words/c', 'w')
except OSError as error:
    found['write'] = error.strerror
open('/fast/x', 'w').write('x')
found['memory'] = [l.split()[2] for l in open('/proc/mounts') if ' /fast ' in l]
print(json.dumps(found))
"""
    mounts = [
        {"name": each, "mountPath": f"/{each}"}
        for each in ("words", "one", "hidden", "fast", "all")
    ]
    mounts.append({"name": "words", "mountPath": "/etc/only/a", "subPath": "a"})
    name = pods.run(python(code, volumeMounts=mounts), volumes=volumes, labels={"app": "x"})
    assert pods.output(name) == {
        "/words/a": "A",
        "/one/x/y": "B",
        "/hidden/key": "value",
        "/all/key": "value",
        "/all/labels": 'app="x"',
        "/etc/only/a": "A",
        "files": ["a", "b"],
        "write": "Read-only file system",
        "memory": ["tmpfs"],
    }


def test_the_items_of_a_large_config_map_are_files_in_folders(pods: Pods) -> None:
    large = bytes(range(256)) * 3500
    data = {"release.json": "{}"}
    binary = {"1f": base64.b64encode(large).decode(), "2e": base64.b64encode(b"y").decode()}
    pods.make("configmaps", {"metadata": {"name": "large"}, "data": data, "binaryData": binary})
    items = [
        {"key": "release.json", "path": "release.json"},
        {"key": "1f", "path": "handler/words/table.bin"},
        {"key": "2e", "path": "handler/handler.py"},
    ]
    code = """
import hashlib, json, pathlib
folder = pathlib.Path('/release')
files = [path.relative_to(folder / '..data') for path in (folder / '..data/').rglob('*')]
print(json.dumps({
    str(path): hashlib.sha256((folder / path).read_bytes()).hexdigest()
    for path in files if (folder / path).is_file()
}))
"""
    name = pods.run(
        python(code, volumeMounts=[{"name": "release", "mountPath": "/release"}]),
        volumes=[{"name": "release", "configMap": {"name": "large", "items": items}}],
    )
    contents = {
        "release.json": b"{}",
        "handler/words/table.bin": large,
        "handler/handler.py": b"y",
    }
    assert pods.output(name) == {
        path: hashlib.sha256(content).hexdigest() for path, content in contents.items()
    }


def test_a_missing_config_map_is_waited_for(pods: Pods) -> None:
    container = python("print('1')", volumeMounts=[{"name": "late", "mountPath": "/late"}])
    name = pods.run(container, volumes=[{"name": "late", "configMap": {"name": "late"}}])
    eventually(lambda: "'late' not found" in pods.status(name)["state"]["waiting"]["message"])
    pods.make("configmaps", {"metadata": {"name": "late"}, "data": {}})
    pods.phase(name, "Succeeded")


def test_environment_and_variables(pods: Pods) -> None:
    pods.make("configmaps", {"metadata": {"name": "env"}, "data": {"one": "1", "two": "2"}})
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "BOTH", "value": "$(NAME)-$(IP) $$(NAME) $(UNKNOWN)"},
        {"name": "TWO", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "two"}}},
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
    ]
    container = python(
        code,
        env=env,
        envFrom=[{"prefix": "P_", "configMapRef": {"name": "env"}}],
        resources={"limits": {"memory": "200Mi"}},
        workingDir="/tmp",
    )
    container["args"] = ["-c", code, "$(NAME)"]
    name = pods.run(container)
    arguments, found = pods.output(name)
    address = pods.get(name)["status"]["podIP"]
    assert arguments == [name]
    assert found["BOTH"] == f"{name}-{address} $(NAME) $(UNKNOWN)"
    assert (found["TWO"], found["P_one"], found["MEMORY"]) == ("2", "1", str(200 * 2**20))
    assert "KUBECONFIG" not in found, "the machine's own environment leaks in"


def test_a_token_reaches_the_api_by_its_service_name(pods: Pods) -> None:
    code = """
import json, ssl, urllib.request, urllib.error
at = '/var/run/secrets/kubernetes.io/serviceaccount'
context = ssl.create_default_context(cafile=f'{at}/ca.crt')
space = open(f'{at}/namespace').read()
request = urllib.request.Request(
    f'https://kubernetes.default.svc/api/v1/namespaces/{space}/secrets',
    headers={'Authorization': 'Bearer ' + open(f'{at}/token').read()})
try:
    urllib.request.urlopen(request, context=context)
except urllib.error.HTTPError as error:
    print(json.dumps(json.load(error)['message']))
"""
    output = pods.output(pods.run(python(code)))
    assert 'User "system:serviceaccount:pods:default" cannot list resource "secrets"' in output


def test_an_exit_code_and_a_termination_message(pods: Pods) -> None:
    code = (
        "print('to the log'); open('/dev/termination-log', 'w').write('why'); raise SystemExit(3)"
    )
    name = pods.run(python(code))
    pods.phase(name, "Failed")
    ended = pods.status(name)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "why")
    assert pods.log(name) == "to the log\n"


def test_a_missing_program(pods: Pods) -> None:
    name = pods.run({"image": "test/run:1", "command": ["no-such-program"]})
    pods.phase(name, "Failed")
    ended = pods.status(name)["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert "no-such-program" in ended["message"]


def test_a_crashing_container_is_restarted_with_a_back_off(pods: Pods) -> None:
    name = pods.run(python("print('once more'); raise SystemExit(7)"), restartPolicy="Always")
    waiting = eventually(lambda: pods.status(name)["state"].get("waiting"))
    eventually(lambda: pods.status(name)["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    status = pods.status(name)
    assert "back-off 10s" in status["state"]["waiting"]["message"], waiting
    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["exitCode"] == 7
    assert pods.log(name, options="&previous=true") == "once more\n"
    pods.delete(name)
    eventually(lambda: pods.is_gone(name))


def test_a_container_over_its_memory_limit_is_ended(pods: Pods) -> None:
    limits = {"limits": {"memory": "100Mi"}}
    name = pods.run(python("x = b'x' * 300_000_000\nwhile True: pass", resources=limits))
    pods.phase(name, "Failed")
    ended = pods.status(name)["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


def test_an_unknown_image_is_not_started(pods: Pods) -> None:
    name = pods.run({"image": "registry.example/nothing:1"})
    eventually(
        lambda: pods.status(name)["state"].get("waiting", {}).get("reason") == "ErrImagePull"
    )
    message = pods.status(name)["state"]["waiting"]["message"]
    assert 'image "registry.example/nothing:1" can\'t be pulled' in message
    assert "nvcr.io/nvidia/tritonserver:*" in message
    pods.delete(name)


def test_a_container_that_ignores_sigterm_is_ended_after_the_grace_period(pods: Pods) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(99)"
    name = pods.run(python(deaf), terminationGracePeriodSeconds=1)
    eventually(lambda: pods.log(name) == "up\n")
    pods.delete(name)
    eventually(lambda: pods.is_gone(name), patience=5.0)


def test_a_log_can_be_followed_and_limited(pods: Pods) -> None:
    name = pods.run(python("for n in range(100): print(n)"))
    pods.phase(name, "Succeeded")
    assert pods.log(name, options="&tailLines=2") == "98\n99\n"
    assert pods.log(name, options="&follow=true&tailLines=1").startswith("99")


def test_a_sidecar_runs_beside_the_others_and_ends_after_them(pods: Pods) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    side = "import time; open('/shared/up', 'w'); time.sleep(999)"
    look = "import os, time\nwhile not os.path.exists('/shared/up'): time.sleep(0.05)"
    sidecar = {**python(side, volumeMounts=mounts), "name": "side", "restartPolicy": "Always"}
    name = pods.run(
        python(look, volumeMounts=mounts),
        initContainers=[sidecar],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    pods.phase(name, "Succeeded")

    def ended() -> bool:
        return "terminated" in pods.get(name)["status"]["initContainerStatuses"][0]["state"]

    eventually(ended)
    assert pods.get(name)["status"]["phase"] == "Succeeded"


def test_variables_in_a_secret_are_not_expanded(pods: Pods) -> None:
    """Only those in the pod itself are."""
    pods.make("secrets", {"metadata": {"name": "odd"}, "stringData": {"key": "a$$b$(HOME)"}})
    source = {"secretKeyRef": {"name": "odd", "key": "key"}}
    name = pods.run(
        python(
            "import json, os; print(json.dumps(os.environ['ODD']))",
            env=[{"name": "ODD", "valueFrom": source}],
        )
    )
    assert pods.output(name) == "a$$b$(HOME)"


@pytest.mark.parametrize(("limit", "cores"), [("500m", None), ("1", 1)])
def test_a_cpu_limit_of_whole_cores_binds_to_as_many(
    pods: Pods, limit: str, cores: int | None
) -> None:
    """With less than a core a container may run on all of them."""
    name = pods.run(
        python(
            "import json, os; print(json.dumps(len(os.sched_getaffinity(0))))",
            resources={"limits": {"cpu": limit}},
        )
    )
    assert pods.output(name) == (cores or len(os.sched_getaffinity(0)))
