"""Which cluster, as whom, in which namespace; and a cluster that does not answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from local.plugins.kubernetes.cluster import Cluster, Place
from local.plugins.kubernetes.kinds import CONFIG_MAP as CONFIG_MAP_KIND
from pulumi.runtime.proto import provider_pb2

from local.plugins.resource import PluginError
from local.plugins.wire import Properties, encode
from tests.local.plugins.names import fresh
from tests.local.plugins.objects import CONFIG_MAP, config_map, own
from tests.local.plugins.protocol import Failed, Plugin, urn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.plugins.api_server import ApiServer


@own
def test_a_cluster_that_is_not_there_is_named() -> None:
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig="/no/such/kubeconfig")
    with pytest.raises(Failed, match=r"/no/such/kubeconfig.*make up"):
        plugin.check(CONFIG_MAP, "map", config_map("x"))
    plugin.close()


@own
@pytest.mark.parametrize("inline", [True, False])
def test_credential_programs_are_asked(server: ApiServer, tmp_path: Path, inline: bool) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig("kube-system"))
    api = "client.authentication.k8s.io/v1"
    said = {"apiVersion": api, "kind": "ExecCredential", "status": {"token": server.token}}
    program = {"apiVersion": api, "command": "echo", "args": [json.dumps(said)]}
    kubeconfig["users"][0]["user"] = {"exec": {**program, "interactiveMode": "Never"}}
    text, file = yaml.safe_dump(kubeconfig), tmp_path / "kubeconfig"
    file.write_text(text)
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=text if inline else str(file))
    made = plugin.deploy(CONFIG_MAP, "map", config_map(fresh("object"))).state
    assert made["metadata"]["namespace"] == "kube-system"
    plugin.close()


@own
def test_the_context_chooses_user_and_namespace(server: ApiServer) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig())
    other = {"cluster": "test", "user": "admin", "namespace": "kube-public"}
    kubeconfig["contexts"].append({"name": "other", "context": other})
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=yaml.safe_dump(kubeconfig), context="other")
    checked = plugin.check(CONFIG_MAP, "map", config_map("x"))
    assert checked.values["metadata"]["namespace"] == "kube-public"
    plugin.close()


@own
def test_certificates_are_verified(server: ApiServer) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig())
    kubeconfig["clusters"][0]["cluster"].pop("insecure-skip-tls-verify")
    plugin = Plugin("kubernetes")
    plugin.configure(kubeconfig=yaml.safe_dump(kubeconfig))
    with pytest.raises(Failed, match="CERTIFICATE_VERIFY_FAILED"):
        plugin.get(CONFIG_MAP, "map", "default/x")
    authority = server.folder / "certificates" / "apiserver.crt"
    kubeconfig["clusters"][0]["cluster"]["certificate-authority"] = str(authority)
    trusting = Plugin("kubernetes")
    trusting.configure(kubeconfig=yaml.safe_dump(kubeconfig))
    assert trusting.get(CONFIG_MAP, "map", "default/x") is None
    for each in (plugin, trusting):
        each.close()


@own
def test_a_cluster_that_does_not_answer_is_waited_for_and_named() -> None:
    cluster = Cluster(patience=0.6)
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    cluster.configure(json.dumps(kubeconfig), "", "")
    assert cluster.namespace == "default"
    began = time.monotonic()
    with pytest.raises(PluginError, match=r"https://127\.0\.0\.1:1 can't be reached.*make up"):
        cluster.get(Place(CONFIG_MAP_KIND, "default", "x"))
    assert time.monotonic() - began > 0.5


@own
def test_another_kubeconfig_replaces_nothing(kubernetes: Plugin) -> None:
    changed = kubernetes.stub.DiffConfig(
        provider_pb2.DiffRequest(
            urn=urn("pulumi:providers:kubernetes", "local"),
            old_inputs=encode(Properties({"kubeconfig": "one"})),
            news=encode(Properties({"kubeconfig": "two"})),
        )
    )
    assert changed.changes == changed.DIFF_SOME
    assert list(changed.diffs) == ["kubeconfig"]
    assert not changed.replaces
