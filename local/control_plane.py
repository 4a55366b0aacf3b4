"""The processes of the local cluster: their commands, what each needs first, how each is asked."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local import health, knative, kserve, manifests
from local.api import Api
from local.layout import ROOT
from local.toolchain import tool

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.api import Manifest
    from local.layout import Layout

__all__ = ["NODE", "Process", "Task", "processes", "tasks"]

NODE = "local"
_KEYS = "certificates"
_SERVICE_RANGE = "10.96.0.0/16"
_STAMP = "/api/v1/namespaces/kube-system/configmaps/kserve-triton-local"


@dataclass(frozen=True)
class Process:
    """A program that runs as long as the cluster does."""

    name: str
    command: tuple[str, ...]
    healthy: Callable[[], bool]
    needs: tuple[str, ...] = ()
    port: int | None = None
    env: dict[str, str] = field(default_factory=dict)
    death: signal.Signals = signal.SIGKILL
    """What it gets should the supervisor be killed."""
    grace: float = 10.0
    """Seconds to end by itself when it's asked to."""


@dataclass(frozen=True)
class Task:
    """Something done once for a start, when what it needs is healthy; safe to do again."""

    name: str
    run: Callable[[], None]
    needs: tuple[str, ...] = ()


def processes(layout: Layout) -> list[Process]:
    """All of them. The order has no meaning: `needs` has it."""
    port = layout.ports()
    return [
        _etcd(layout, port),
        _api_server(layout, port),
        _controller_manager(layout, port),
        _scheduler(layout, port),
        _kserve(layout, port),
        _knative_webhook(layout, port),
        _knative_controller(layout, port),
        _storage(layout, port),
        *_node_agent(layout),
    ]


def tasks(layout: Layout) -> list[Task]:
    """The cluster's own objects, in the two halves that admission makes of them."""
    return [
        Task("foundation", lambda: _lay_foundation(layout), needs=("kube-apiserver",)),
        Task(
            "admission",
            lambda: _admit(layout),
            needs=("foundation", "kserve-manager", "knative-webhook"),
        ),
    ]


def _options(**values: object) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


def _etcd(layout: Layout, port: dict[str, int]) -> Process:
    keys = layout.certificates
    client, peer = (f"https://127.0.0.1:{port[name]}" for name in ("etcd", "etcd-peer"))
    metrics = f"http://127.0.0.1:{port['etcd-health']}"
    options = _options(
        name="local",
        data_dir=layout.etcd,
        listen_client_urls=client,
        advertise_client_urls=client,
        listen_peer_urls=peer,
        initial_advertise_peer_urls=peer,
        initial_cluster=f"local={peer}",
        listen_metrics_urls=metrics,
        trusted_ca_file=keys / "ca.crt",
        cert_file=keys / "etcd.crt",
        key_file=keys / "etcd.key",
        client_cert_auth="true",
        peer_trusted_ca_file=keys / "ca.crt",
        peer_cert_file=keys / "etcd.crt",
        peer_key_file=keys / "etcd.key",
        peer_client_cert_auth="true",
        # Alone, it needn't wait long before it votes for itself.
        election_timeout=500,
        heartbeat_interval=50,
        log_level="warn",
    )
    return Process(
        "etcd",
        (str(tool("etcd")), *options),
        health.succeeds(f"{metrics}/health"),
        (),
        port["etcd"],
    )


def _api_server(layout: Layout, port: dict[str, int]) -> Process:
    keys = layout.certificates
    options = _options(
        etcd_servers=f"https://127.0.0.1:{port['etcd']}",
        etcd_cafile=keys / "ca.crt",
        etcd_certfile=keys / "kube-apiserver.crt",
        etcd_keyfile=keys / "kube-apiserver.key",
        bind_address="127.0.0.1",
        advertise_address="127.0.0.1",
        secure_port=port["kube-apiserver"],
        # A Service's endpoints can't be on loopback; the node agent leads pods here.
        endpoint_reconciler_type="none",
        tls_cert_file=keys / "kube-apiserver.crt",
        tls_private_key_file=keys / "kube-apiserver.key",
        client_ca_file=keys / "ca.crt",
        # Nobody proxies for others here, but the controllers look for these and complain.
        requestheader_client_ca_file=keys / "ca.crt",
        requestheader_allowed_names="front-proxy-client",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        authorization_mode="RBAC",
        service_cluster_ip_range=_SERVICE_RANGE,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=keys / "service-accounts.pub",
        service_account_signing_key_file=keys / "service-accounts.key",
        allow_privileged="true",
        profiling="false",
    )
    return Process(
        "kube-apiserver",
        (str(tool("kube-apiserver")), *options),
        health.api_server(layout),
        ("etcd",),
        port["kube-apiserver"],
        grace=20.0,
    )


def _controller_manager(layout: Layout, port: dict[str, int]) -> Process:
    name = "kube-controller-manager"
    options = _options(
        use_service_account_credentials="true",
        service_account_private_key_file=layout.certificates / "service-accounts.key",
        root_ca_file=layout.certificates / "ca.crt",
        service_cluster_ip_range=_SERVICE_RANGE,
        # A dead node agent shows within half a minute.
        node_monitor_grace_period="20s",
        node_monitor_period="2s",
    )
    return _kubernetes_client(layout, port, name, options)


def _scheduler(layout: Layout, port: dict[str, int]) -> Process:
    return _kubernetes_client(layout, port, "kube-scheduler", [])


def _kubernetes_client(
    layout: Layout, port: dict[str, int], name: str, options: list[str]
) -> Process:
    keys, kubeconfig = layout.certificates, layout.certificates / f"{name}.kubeconfig"
    common = _options(
        kubeconfig=kubeconfig,
        authentication_kubeconfig=kubeconfig,
        authorization_kubeconfig=kubeconfig,
        bind_address="127.0.0.1",
        secure_port=port[name],
        tls_cert_file=keys / f"{name}.crt",
        tls_private_key_file=keys / f"{name}.key",
        # One of each: waiting for a dead one's lease would only delay its successor.
        leader_elect="false",
    )
    return Process(
        name,
        (str(tool(name)), *common, *options),
        health.succeeds(f"https://127.0.0.1:{port[name]}/healthz"),
        ("kube-apiserver",),
        port[name],
    )


def _kserve(layout: Layout, port: dict[str, int]) -> Process:
    probe = f"127.0.0.1:{port['kserve-manager']}"
    options = _options(
        kubeconfig=layout.certificates / "kserve-manager.kubeconfig",
        webhook_port=port["kserve-webhook"],
        health_probe_addr=probe,
        metrics_addr="0",
    )
    return Process(
        "kserve-manager",
        (str(tool("kserve-manager")), *options),
        health.succeeds(f"http://{probe}/readyz"),
        # It looks once, at its start, whether Knative is there.
        ("kube-apiserver", "foundation"),
        port["kserve-webhook"],
        # It looks for its certificate in the temporary folder, and nowhere else.
        {"POD_NAMESPACE": kserve.NAMESPACE, "TMPDIR": str(layout.scratch / "kserve-manager")},
    )


def _knative_env(layout: Layout, name: str, profiling: int) -> dict[str, str]:
    return {
        "KUBECONFIG": str(layout.certificates / "knative.kubeconfig"),
        "SYSTEM_NAMESPACE": knative.NAMESPACE,
        "POD_NAME": f"{name}-0",
        "CONFIG_LOGGING_NAME": "config-logging",
        "CONFIG_OBSERVABILITY_NAME": "config-observability",
        "METRICS_DOMAIN": "knative.dev/serving",
        "PROFILING_PORT": str(profiling),
        # One of each, and no lease of a dead one to wait for.
        "STATEFUL_CONTROLLER_ORDINAL": f"{name}-0",
        "STATEFUL_SERVICE_NAME": name,
    }


def _knative_webhook(layout: Layout, port: dict[str, int]) -> Process:
    own = {"WEBHOOK_NAME": "webhook", "WEBHOOK_PORT": str(port["knative-webhook"])}
    return Process(
        "knative-webhook",
        (str(tool("knative-webhook")),),
        health.answers(f"https://127.0.0.1:{port['knative-webhook']}/"),
        ("kube-apiserver", "foundation"),
        port["knative-webhook"],
        _knative_env(layout, "webhook", port["knative-webhook-profiling"]) | own,
        # It would wait half a minute for requests that nobody sends any more.
        grace=0.5,
    )


def _knative_controller(layout: Layout, port: dict[str, int]) -> Process:
    return Process(
        "knative-controller",
        (str(tool("knative-controller")),),
        health.answers(f"http://127.0.0.1:{port['knative-controller']}/"),
        ("kube-apiserver", "foundation"),
        port["knative-controller"],
        _knative_env(layout, "controller", port["knative-controller"]),
    )


def _storage(layout: Layout, port: dict[str, int]) -> Process:
    number = port["fake-gcs-server"]
    address = f"127.0.0.1:{number}"
    options = ["-scheme=http", "-host=127.0.0.1", f"-port={number}", "-backend=filesystem"]
    options += [f"-filesystem-root={layout.gcs}", f"-public-host={address}"]
    options += [f"-external-url=http://{address}", "-log-level=warn"]
    return Process(
        "fake-gcs-server",
        (str(tool("fake-gcs-server")), *options),
        health.succeeds(f"http://{address}/storage/v1/b?project=local"),
        (),
        number,
    )


def _node_agent(layout: Layout) -> list[Process]:
    if not (ROOT / "local" / "node" / "__main__.py").exists():
        return []
    options = _options(
        kubeconfig=layout.kubeconfig,
        name=NODE,
        root=layout.node,
        storage_emulator=layout.storage(),
    )
    vegeta = tool("vegeta")
    path = f"{vegeta.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    extra = os.environ.get("KSERVE_TRITON_NODE_OPTIONS", "").split()
    return [
        Process(
            "node",
            (sys.executable, "-m", "local.node", *options, *extra),
            health.node(layout, NODE),
            ("kube-apiserver",),
            env={"VEGETA": str(vegeta), "PATH": path},
            # It stops its containers first.
            death=signal.SIGTERM,
            grace=60.0,
        )
    ]


def _edition(layout: Layout) -> str:
    """What the objects depend on, apart from this code: versions, ports, the authority."""
    authority = (layout.certificates / "ca.crt").read_text()
    code = [(ROOT / "local" / f"{name}.py").read_text() for name in ("kserve", "knative")]
    return manifests.digest(kserve.VERSION, knative.VERSION, layout.ports(), authority, code)


def _is_current(api: Api, layout: Layout) -> bool:
    stamp = api.find(_STAMP)
    return stamp is not None and stamp["data"] == {"edition": _edition(layout)}


def _lay_foundation(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    wanted: list[Manifest] = [*knative.foundation(), *kserve.foundation()]
    # Left by an older start they would wait for webhooks that aren't up yet.
    for each in [*knative.admission(layout), *kserve.admission(layout)]:
        if each["kind"].endswith("WebhookConfiguration"):
            api.delete(api.path(each))
    manifests.apply_all(api, wanted)


def _admit(layout: Layout) -> None:
    api = Api(layout)
    if _is_current(api, layout):
        return
    manifests.apply_all(api, [*knative.admission(layout), *kserve.admission(layout)])
    name = _STAMP.rsplit("/", 1)[1]
    place = {"name": name, "namespace": "kube-system"}
    data = {"edition": _edition(layout)}
    api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place, "data": data})
