"""From a kubeconfig to an authenticated connection.

Certificates and tokens are read here, in a fifth of the time that importing the `kubernetes`
client takes: that is most of what a preview has to wait for. Whatever else a kubeconfig may say
(credential programs, merged files, proxies) that client is asked for.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import urllib3
import yaml

from local.plugins.resource import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

CALL_SECONDS: Final = 60.0
CONNECTIONS: Final = 32
Entry = dict[str, Any]

_PLAIN_CLUSTER = {
    "server",
    "certificate-authority",
    "certificate-authority-data",
    "insecure-skip-tls-verify",
}
_PLAIN_USER = {
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
}


@dataclass(frozen=True)
class Connection:
    """Where the API is, how to get there, and the namespace of the context."""

    host: str
    namespace: str
    pool: urllib3.PoolManager
    headers: Callable[[], dict[str, str]]

    def request(self, method: str, path: str, body: str, headers: Entry) -> tuple[int, str]:
        """Status and text; status 0 and the reason where the server can't be reached."""
        try:
            response = self.pool.request(
                method,
                self.host + path,
                body=body or None,
                headers={"Accept": "application/json", **self.headers(), **headers},
                timeout=CALL_SECONDS,
                retries=False,
            )
        except urllib3.exceptions.SSLError as error:
            raise PluginError(f"{self.host} is not who it should be: {error}") from error
        except urllib3.exceptions.HTTPError as error:
            hint = "for the local stack, `make up` starts it"
            text = f"the Kubernetes API at {self.host} can't be reached ({error}); {hint}"
            return 0, json.dumps({"message": text})
        return response.status, response.data.decode(errors="replace")


def connect(kubeconfig: str, context: str) -> Connection:
    """By a kubeconfig's text or path, or the shell's own; raises PluginError."""
    # A kubeconfig that verifies nothing is its owner's choice.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    inline = "\n" in kubeconfig or kubeconfig.startswith("{")
    place = "" if inline else kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    try:
        if os.pathsep in place:
            return _by_client(place, None, context)
        path = Path(place).expanduser()
        parsed = yaml.safe_load(kubeconfig if inline else path.read_text())
        return _plain(parsed, context, path.parent) or _by_client(
            str(path), parsed if inline else None, context
        )
    except Exception as error:
        where = place or "the kubeconfig"
        hint = "for the local stack, `make up` writes it"
        raise PluginError(f"no cluster by {where}: {error!r}; {hint}") from error


def _plain(config: Entry, name: str, folder: Path) -> Connection | None:
    context = _named(config, "context", name or config["current-context"])
    cluster = _named(config, "cluster", context["cluster"])
    user = _named(config, "user", context["user"])
    if not (cluster.keys() <= _PLAIN_CLUSTER and user.keys() <= _PLAIN_USER):
        return None
    pool = urllib3.PoolManager(
        maxsize=CONNECTIONS, ssl_context=_tls(cluster, user, folder), assert_hostname=None
    )
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    namespace = context.get("namespace") or "default"
    return Connection(cluster["server"].rstrip("/"), namespace, pool, lambda: headers)


def _named(config: Entry, what: str, name: str) -> Entry:
    for entry in config[f"{what}s"]:
        if entry["name"] == name:
            found: Entry = entry[what]
            return found
    raise PluginError(f"there is no {what} {name!r} in it")


def _tls(cluster: Entry, user: Entry, folder: Path) -> ssl.SSLContext:
    authority = _content(cluster, "certificate-authority", folder)
    context = ssl.create_default_context(cadata=authority.decode() or None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate = _content(user, "client-certificate", folder)
    if certificate:
        # The library takes files only.
        with tempfile.NamedTemporaryFile() as file:
            file.write(certificate + b"\n" + _content(user, "client-key", folder))
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _content(entry: Entry, key: str, folder: Path) -> bytes:
    """What a key names, inline or in a file beside the kubeconfig."""
    if f"{key}-data" in entry:
        return base64.b64decode(entry[f"{key}-data"])
    return (folder / entry[key]).read_bytes() if entry.get(key) else b""


def _by_client(path: str, parsed: Entry | None, context: str) -> Connection:
    # Here, since it takes a second.
    from kubernetes import client, config  # noqa: PLC0415

    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS
    chosen: Entry = {}
    if parsed is not None:
        config.load_kube_config_from_dict(
            parsed, context=context or None, client_configuration=settings, persist_config=False
        )
        chosen = _named(parsed, "context", context or parsed["current-context"])
    else:
        config.load_kube_config(path, context or None, settings, persist_config=False)
        contexts, active = config.list_kube_config_contexts(path)
        chosen = next((c for c in contexts if c["name"] == context), active)["context"]

    def headers() -> dict[str, str]:
        # Asks the credential program again where a token has expired.
        return {auth["key"]: auth["value"] for auth in settings.auth_settings().values()}

    pool = client.ApiClient(settings).rest_client.pool_manager
    return Connection(settings.host, chosen.get("namespace") or "default", pool, headers)
