"""The other processes of the cluster: KServe, Knative, the storage emulator, the node agent."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from local import health, knative, kserve
from local.spec import Process, options
from local.storage.server import HEALTH
from local.toolchain import tool

if TYPE_CHECKING:
    from local.layout import Layout

__all__ = ["addons"]

_NODE = "local"


def addons(layout: Layout, port: dict[str, int]) -> list[Process]:
    """All of them; `needs` has the order of their start."""
    return [
        _kserve(layout, port),
        _knative_webhook(layout, port),
        _knative_controller(layout, port),
        _storage_emulator(layout, port),
        _storage(layout, port),
        _node_agent(layout),
    ]


def _kserve(layout: Layout, port: dict[str, int]) -> Process:
    probe = f"127.0.0.1:{port['kserve-manager']}"
    flags = options(
        kubeconfig=layout.certificates / "kserve-manager.kubeconfig",
        webhook_port=port["kserve-webhook"],
        health_probe_addr=probe,
        metrics_addr="0",
    )
    return Process(
        "kserve-manager",
        (str(tool("kserve-manager")), *flags),
        health.succeeds(f"http://{probe}/readyz"),
        # It checks once, at its start, whether Knative is installed.
        ("kube-apiserver", "foundation"),
        port["kserve-webhook"],
        # It reads its certificate from a subfolder of the temporary folder.
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
        # There is one of each, and its successor need not wait for its lease to expire.
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
        # Its own grace period, half a minute, is for requests that nothing sends any more.
        grace=0.5,
    )


def _knative_controller(layout: Layout, port: dict[str, int]) -> Process:
    # Images are names here. A machine with internet would find digests for some of them, and so
    # behave unlike one without; a proxy that isn't there refuses all registries alike.
    own = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    return Process(
        "knative-controller",
        (str(tool("knative-controller")),),
        health.answers(f"http://127.0.0.1:{port['knative-controller']}/"),
        ("kube-apiserver", "foundation"),
        port["knative-controller"],
        _knative_env(layout, "controller", port["knative-controller"]) | own,
    )


def _storage_emulator(layout: Layout, port: dict[str, int]) -> Process:
    number = port["fake-gcs-server"]
    # Clients have the address of the server in front of it, also from the emulator's answers.
    address = f"127.0.0.1:{port['storage']}"
    flags = ["-scheme=http", "-host=127.0.0.1", f"-port={number}", "-backend=filesystem"]
    flags += [f"-filesystem-root={layout.gcs}", f"-public-host={address}"]
    flags += [f"-external-url=http://{address}", "-log-level=warn"]
    return Process(
        "fake-gcs-server",
        (str(tool("fake-gcs-server")), *flags),
        health.succeeds(f"http://127.0.0.1:{number}/storage/v1/b?project=local"),
        (),
        number,
    )


def _storage(layout: Layout, port: dict[str, int]) -> Process:
    return Process(
        "storage",
        (sys.executable, "-m", "local.storage"),
        health.succeeds(f"http://127.0.0.1:{port['storage']}{HEALTH}"),
        ("kube-apiserver", "fake-gcs-server"),
        port["storage"],
        {"KSERVE_TRITON_LOCAL": str(layout.base)},
    )


def _node_agent(layout: Layout) -> Process:
    extra = os.environ.get("KSERVE_TRITON_NODE_OPTIONS", "").split()
    return Process(
        "node",
        (sys.executable, "-m", "local.node", f"--name={_NODE}", *extra),
        health.node(layout, _NODE),
        ("kube-apiserver",),
        env={"KSERVE_TRITON_LOCAL": str(layout.base)},
        # It stops its containers first.
        death=signal.SIGTERM,
        grace=60.0,
    )
