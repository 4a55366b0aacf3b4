"""The cluster's certificates, its kubeconfig, and its ports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from local.certificates import ensure_certificates, kubeconfig
from local.layout import Layout
from local.ports import CLUSTER_PORTS, choose_ports

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    ensure_certificates(made)
    return made


def _read(layout: Layout, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((layout.certificates / f"{name}.crt").read_bytes())


def test_the_authority_issues_all_certificates(layout: Layout) -> None:
    authority = _read(layout, "ca")
    for name in ("admin", "etcd", "kube-apiserver", "kserve-manager"):
        _read(layout, name).verify_directly_issued_by(authority)


def test_keys_are_for_their_owner_only(layout: Layout) -> None:
    modes = {path.stat().st_mode & 0o777 for path in layout.certificates.iterdir()}
    assert modes == {0o600}


def test_certificates_are_kept(layout: Layout) -> None:
    before = {path.name: path.read_bytes() for path in layout.certificates.iterdir()}
    ensure_certificates(layout)
    assert {path.name: path.read_bytes() for path in layout.certificates.iterdir()} == before


def test_a_missing_certificate_is_made_again(layout: Layout) -> None:
    authority = _read(layout, "ca")
    (layout.certificates / "admin.crt").unlink()
    ensure_certificates(layout)
    assert _read(layout, "ca") == authority
    _read(layout, "admin").verify_directly_issued_by(authority)


def test_a_new_authority_issues_all_certificates_again(layout: Layout) -> None:
    (layout.certificates / "ca.crt").unlink()
    ensure_certificates(layout)
    _read(layout, "admin").verify_directly_issued_by(_read(layout, "ca"))


def test_a_kubeconfig_needs_no_other_file(layout: Layout) -> None:
    ports = choose_ports(layout)
    kubeconfig(layout, "admin", layout.kubeconfig)
    config = json.loads(layout.kubeconfig.read_text())
    [cluster], [user] = config["clusters"], config["users"]
    assert cluster["cluster"]["server"] == f"https://127.0.0.1:{ports['kube-apiserver']}"
    assert all(key.endswith("-data") for key in user["user"])


def test_ports_are_distinct_and_stay(layout: Layout) -> None:
    first = choose_ports(layout)
    assert set(first) == set(CLUSTER_PORTS) and len(set(first.values())) == len(CLUSTER_PORTS)
    assert choose_ports(layout) == first
