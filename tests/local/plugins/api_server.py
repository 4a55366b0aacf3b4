"""A bare API server: etcd and kube-apiserver, no controllers, no nodes.

What controllers would write (a Job's conditions, a pod's states) a test writes itself.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local.toolchain import tool
from tests.local.plugins.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
START_SECONDS = 60.0


@dataclass
class ApiServer:
    """A running API server and an administrator's way to it."""

    address: str
    token: str
    folder: Path

    def kubeconfig(self, namespace: str = "default") -> str:
        """The text of a kubeconfig."""
        cluster = {"server": self.address, "insecure-skip-tls-verify": True}
        context = {"cluster": "test", "user": "admin", "namespace": namespace}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "admin", "user": {"token": self.token}}],
                "contexts": [{"name": "test", "context": context}],
                "current-context": "test",
            }
        )

    def call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """One request as the administrator; raises urllib's HTTPError."""
        request = urllib.request.Request(
            self.address + path,
            json.dumps(body).encode() if body is not None else None,
            {"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
            method=method,
        )
        insecure = ssl._create_unverified_context()
        with urllib.request.urlopen(request, timeout=10, context=insecure) as response:
            text = response.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def apply(self, path: str, body: Any, manager: str, force: bool = False) -> Any:
        """Server-side apply as another manager."""
        query = f"?fieldManager={manager}&force={str(force).lower()}"
        return self.call("PATCH", path + query, body, "application/apply-patch+yaml")

    def merge(self, path: str, body: Any) -> Any:
        """A merge patch, such as a controller's on a status."""
        return self.call("PATCH", path, body, "application/merge-patch+json")

    def find(self, path: str, *keys: str) -> Any:
        """An object, or what it has under keys; None where there is none."""
        try:
            found = self.call("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        for key in keys:
            found = found[key]
        return found

    def has(self, path: str) -> bool:
        """Whether there is an object."""
        return self.find(path) is not None


@contextlib.contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Start one, with everything it keeps in a folder; stop it in the end."""
    client, peer, port = free_ports(3)
    token = secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    server = ApiServer(f"https://127.0.0.1:{port}", token, folder)
    with (
        _running(_etcd(folder, client, peer), folder / "etcd.log"),
        _running(_kube_apiserver(folder, client, port), folder / "kube-apiserver.log"),
    ):
        _wait(server)
        yield server


def _etcd(folder: Path, client: int, peer: int) -> list[str]:
    urls = f"http://127.0.0.1:{client}"
    peers = f"http://127.0.0.1:{peer}"
    return [
        str(ROOT / ".venv-local" / "bin" / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={urls}",
        f"--advertise-client-urls={urls}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _kube_apiserver(folder: Path, etcd: int, port: int) -> list[str]:
    key = folder / "service-account.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    return [
        str(tool("kube-apiserver")),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={folder / 'certificates'}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-account-issuer=https://test",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        # Nobody makes the default service accounts here, and nobody collects garbage.
        "--disable-admission-plugins=ServiceAccount",
        "--enable-garbage-collector=false",
    ]


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file) as process,
    ):
        try:
            yield
        finally:
            process.terminate()
            process.wait(20)


def _wait(server: ApiServer) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            server.call("GET", "/readyz")
            server.call("GET", "/api/v1/namespaces/default")
            return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
