"""The cluster's own certificate authority, and what it vouches for.

Each component gets a client certificate that names it as the real cluster's RBAC knows it; KServe
and Knative come as their service accounts, so their own roles apply to them.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.layout import Layout, write_private

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SERVICE_ADDRESS", "ensure_certificates", "kubeconfig"]

SERVICE_ADDRESS = "10.96.0.1"
"""Of the Service `kubernetes`: the first of the cluster's range."""
_DAY = datetime.timedelta(days=1)
_AUTHORITY_DAYS, _LEAF_DAYS, _RENEW_DAYS = 3650, 365, 60
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_LONG_NAME = "kubernetes.default.svc.cluster.local"
_ADDRESSES = ("127.0.0.1", "::1", SERVICE_ADDRESS)


@dataclass(frozen=True)
class Holder:
    """Whom a certificate names. Every one of them may serve on loopback as well."""

    file: str
    name: str
    groups: tuple[str, ...] = ()


def _service_account(file: str, namespace: str, name: str) -> Holder:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return Holder(file, f"system:serviceaccount:{namespace}:{name}", groups)


_HOLDERS = (
    Holder("admin", "kubernetes-admin", ("system:masters",)),
    Holder("etcd", "etcd"),
    Holder("kube-apiserver", "kube-apiserver"),
    Holder("kube-controller-manager", "system:kube-controller-manager"),
    Holder("kube-scheduler", "system:kube-scheduler"),
    Holder("node", "system:node:local", ("system:nodes",)),
    _service_account("kserve-manager", "kserve", "kserve-controller-manager"),
    _service_account("knative", "knative-serving", "controller"),
)


def ensure_certificates(layout: Layout) -> None:
    """Make what is missing or runs out soon; a new authority makes everything anew."""
    folder = layout.certificates
    if not _lasts(folder / "ca.crt"):
        _make_authority(folder)
    if not (folder / "service-accounts.key").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(folder / "service-accounts.key", _key_text(key))
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        write_private(folder / "service-accounts.pub", public)
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    for holder in _HOLDERS:
        if not _lasts(folder / f"{holder.file}.crt", authority):
            _issue(folder, authority, holder)


def _lasts(path: Path, authority: x509.Certificate | None = None) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if authority is not None:
        try:
            certificate.verify_directly_issued_by(authority)
        except Exception:  # Any of three classes, by what differs: each means another authority.
            return False
    now = datetime.datetime.now(datetime.UTC)
    return certificate.not_valid_after_utc - now > _RENEW_DAYS * _DAY


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _draft(subject: x509.Name, issuer: x509.Name, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)  # A laptop's clock may have been set back meanwhile.
        .not_valid_after(now + days * _DAY)
    )


def _make_authority(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # Its number makes two clones' authorities distinct to whoever keeps certificates by name.
    name = f"kserve-triton local cluster {x509.random_serial_number() % 10**8}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _draft(subject, subject, _AUTHORITY_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(folder / "ca.key", _key_text(key))
    write_private(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM))


def _issue(folder: Path, authority: x509.Certificate, holder: Holder) -> None:
    signer = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)  # As made above.
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in holder.groups]
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, holder.name))
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in (*_NAMES, _LONG_NAME)]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in _ADDRESSES]
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    certificate = (
        _draft(x509.Name(subject), authority.subject, _LEAF_DAYS)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(authority_key, critical=False)
        .sign(signer, hashes.SHA256())
    )
    write_private(folder / f"{holder.file}.key", _key_text(key))
    write_private(
        folder / f"{holder.file}.crt", certificate.public_bytes(serialization.Encoding.PEM)
    )


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
    write_private(path, json.dumps(content, indent=2) + "\n")
