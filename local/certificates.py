"""The cluster's own certificate authority, and the certificates that it issues.

Each component has a client certificate with its user name in RBAC. KServe and Knative have the
names of their service accounts, so their own roles apply to them.
"""

from __future__ import annotations

import base64
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

from local.layout import SERVICE_ADDRESS, Layout, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ensure_certificates", "kubeconfig"]

_ORGANIZATION = "kserve-triton local cluster"
_SERVED_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
    SERVICE_ADDRESS,
)


@dataclass(frozen=True)
class _Holder:
    """A user of the cluster, who may serve on loopback as well."""

    file: str
    user: str
    group: str = _ORGANIZATION


def _service_account(file: str, namespace: str, name: str) -> _Holder:
    user = f"system:serviceaccount:{namespace}:{name}"
    return _Holder(file, user, f"system:serviceaccounts:{namespace}")


_HOLDERS = (
    _Holder("admin", "kubernetes-admin", "system:masters"),
    _Holder("etcd", "etcd"),
    _Holder("kube-apiserver", "kube-apiserver"),
    _Holder("kube-controller-manager", "system:kube-controller-manager"),
    _Holder("kube-scheduler", "system:kube-scheduler"),
    _Holder("node", "system:node:local", "system:nodes"),
    # Its key signs the tokens of service accounts.
    _Holder("service-accounts", "service-accounts"),
    _service_account("kserve-manager", "kserve", "kserve-controller-manager"),
    _service_account("knative", "knative-serving", "controller"),
)


def ensure_certificates(layout: Layout) -> None:
    """Make those that are missing; where the authority is missing, make all of them again."""
    folder = layout.certificates
    certificate, key = folder / "ca.crt", folder / "ca.key"
    if not (certificate.exists() and key.exists()):
        shutil.rmtree(folder, ignore_errors=True)
        authority = trustme.CA(organization_name=_ORGANIZATION)
        write_atomically(key, authority.private_key_pem.bytes())
        write_atomically(certificate, authority.cert_pem.bytes())
    authority = trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    for holder in _HOLDERS:
        if not (folder / f"{holder.file}.crt").exists():
            issued = authority.issue_cert(
                *_SERVED_NAMES, common_name=holder.user, organization_name=holder.group
            )
            write_atomically(folder / f"{holder.file}.key", issued.private_key_pem.bytes())
            write_atomically(folder / f"{holder.file}.crt", issued.cert_chain_pems[0].bytes())


def kubeconfig(layout: Layout, holder: str, path: Path) -> None:
    """Write a kubeconfig that needs no other file. Its JSON is YAML as well."""

    def data(file: str) -> str:
        return base64.b64encode((layout.certificates / file).read_bytes()).decode()

    name = "kserve-triton-local"
    cluster = {"server": layout.server(), "certificate-authority-data": data("ca.crt")}
    user = {
        "client-certificate-data": data(f"{holder}.crt"),
        "client-key-data": data(f"{holder}.key"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": holder, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": holder}}],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")
