"""The control plane's processes: etcd, API server, controller manager, scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import health
from local.layout import SERVICE_RANGE
from local.spec import Process, options
from local.toolchain import tool

if TYPE_CHECKING:
    from local.layout import Layout

__all__ = ["control_plane"]


def control_plane(layout: Layout, port: dict[str, int]) -> list[Process]:
    """The processes, in the order of their start."""
    return [
        _etcd(layout, port),
        _api_server(layout, port),
        _controller_manager(layout, port),
        _scheduler(layout, port),
    ]


def _etcd(layout: Layout, port: dict[str, int]) -> Process:
    keys = layout.certificates
    client, peer = (f"https://127.0.0.1:{port[name]}" for name in ("etcd", "etcd-peer"))
    metrics = f"http://127.0.0.1:{port['etcd-health']}"
    flags = options(
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
        # It is the only member, so an election needs no time.
        election_timeout=500,
        heartbeat_interval=50,
        log_level="warn",
    )
    return Process(
        "etcd",
        (str(tool("etcd")), *flags),
        health.succeeds(f"{metrics}/health"),
        (),
        port["etcd"],
    )


def _api_server(layout: Layout, port: dict[str, int]) -> Process:
    keys = layout.certificates
    flags = options(
        etcd_servers=f"https://127.0.0.1:{port['etcd']}",
        etcd_cafile=keys / "ca.crt",
        etcd_certfile=keys / "kube-apiserver.crt",
        etcd_keyfile=keys / "kube-apiserver.key",
        bind_address="127.0.0.1",
        advertise_address="127.0.0.1",
        secure_port=port["kube-apiserver"],
        # Endpoints of a Service can't be on loopback; the node agent forwards pods to it.
        endpoint_reconciler_type="none",
        tls_cert_file=keys / "kube-apiserver.crt",
        tls_private_key_file=keys / "kube-apiserver.key",
        client_ca_file=keys / "ca.crt",
        # For requests to the node agent, for logs.
        kubelet_certificate_authority=keys / "ca.crt",
        kubelet_client_certificate=keys / "kube-apiserver.crt",
        kubelet_client_key=keys / "kube-apiserver.key",
        kubelet_preferred_address_types="InternalIP",
        # There is no such proxy here, but controllers log errors without these.
        requestheader_client_ca_file=keys / "ca.crt",
        requestheader_allowed_names="front-proxy-client",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        authorization_mode="RBAC",
        service_cluster_ip_range=SERVICE_RANGE,
        service_account_issuer="https://kubernetes.default.svc.cluster.local",
        service_account_key_file=keys / "service-accounts.crt",
        service_account_signing_key_file=keys / "service-accounts.key",
        allow_privileged="true",
        profiling="false",
    )
    return Process(
        "kube-apiserver",
        (str(tool("kube-apiserver")), *flags),
        health.api_server(layout),
        ("etcd",),
        port["kube-apiserver"],
        grace=20.0,
    )


def _controller_manager(layout: Layout, port: dict[str, int]) -> Process:
    name = "kube-controller-manager"
    flags = options(
        use_service_account_credentials="true",
        service_account_private_key_file=layout.certificates / "service-accounts.key",
        root_ca_file=layout.certificates / "ca.crt",
        service_cluster_ip_range=SERVICE_RANGE,
        # The Node of a dead agent turns not Ready within half a minute.
        node_monitor_grace_period="20s",
        node_monitor_period="2s",
    )
    return _kubernetes_client(layout, port, name, flags)


def _scheduler(layout: Layout, port: dict[str, int]) -> Process:
    return _kubernetes_client(layout, port, "kube-scheduler", [])


def _kubernetes_client(
    layout: Layout, port: dict[str, int], name: str, flags: list[str]
) -> Process:
    keys, kubeconfig = layout.certificates, layout.certificates / f"{name}.kubeconfig"
    common = options(
        kubeconfig=kubeconfig,
        authentication_kubeconfig=kubeconfig,
        authorization_kubeconfig=kubeconfig,
        bind_address="127.0.0.1",
        secure_port=port[name],
        tls_cert_file=keys / f"{name}.crt",
        tls_private_key_file=keys / f"{name}.key",
        # There is one of each, and its successor need not wait for its lease to expire.
        leader_elect="false",
    )
    return Process(
        name,
        (str(tool(name)), *common, *flags),
        health.succeeds(f"https://127.0.0.1:{port[name]}/healthz"),
        ("kube-apiserver",),
        port[name],
    )
