"""Starts and stops the local cluster, with progress on stdout."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from local import manifests, proxies, state
from local.building import build_missing
from local.certificates import ensure_certificates, kubeconfig
from local.definition import processes
from local.environment import cli_home
from local.errors import LocalError
from local.layout import ROOT, Layout, write_atomically
from local.ports import choose_ports
from local.processes import locked, start_mark, stop

if TYPE_CHECKING:
    import contextlib
    from pathlib import Path

__all__ = ["bring_down", "bring_up"]

_PATIENCE = 180.0
_MAX_RESTARTS = 5
"""A process that ended so often without being healthy is not waited for any longer."""


def bring_up(layout: Layout) -> None:
    """Build, start and wait for everything. Raises LocalError with the reason and the log."""
    with _locked(layout):
        build_missing()
        now = state.read(layout)
        if now and now.runs() and now.edition != _edition(layout):
            print("the cluster's programs or settings have changed: restarting it")
            _stop(layout, now)
            now = None
        if not now or not now.runs():
            _clear_leftovers(now)
            _prepare(layout)
            _start_supervisor(layout)
        _wait(layout)


def bring_down(layout: Layout, *, keep: bool = False) -> None:
    """Stop everything; unless `keep`, remove all of the cluster but its logs."""
    with _locked(layout):
        now = state.read(layout)
        if now:
            _stop(layout, now)
        if not keep:
            data = (layout.etcd, layout.gcs, layout.iam, layout.node, layout.pulumi)
            for path in (*data, layout.certificates):
                shutil.rmtree(path, ignore_errors=True)
            for path in (layout.kubeconfig, layout.endpoints, layout.base / "ports.json"):
                path.unlink(missing_ok=True)
        shutil.rmtree(layout.scratch, ignore_errors=True)
    print("the local cluster is stopped" + (", its data kept" if keep else " and removed"))


def _locked(layout: Layout) -> contextlib.AbstractContextManager[None]:
    message = "another `up` or `down` runs in this clone; waiting for it"
    return locked(layout.base / "up.lock", message)


def _edition(layout: Layout) -> str:
    """A digest of all that the supervisor runs. If it changes, the cluster is restarted."""
    commands = [(each.name, each.command, sorted(each.env.items())) for each in processes(layout)]
    names = ("supervisor", "definition", "kserve", "knative", "kourier", "manifests", "api")
    files = [ROOT / "local" / f"{name}.py" for name in names]
    files += sorted((ROOT / "local" / "node").rglob("*.py"))
    files += sorted((ROOT / "local" / "storage").rglob("*.py"))
    return manifests.digest(commands, [path.read_text() for path in files])


def _stop(layout: Layout, now: state.State) -> None:
    print("stopping the local cluster …", flush=True)
    stop(now.pid, now.started, grace=120.0)
    _clear_leftovers(now)
    layout.state.unlink(missing_ok=True)


def _clear_leftovers(now: state.State | None) -> None:
    """Stop processes that a killed supervisor left, the node agent with its pods first."""
    processes = now.processes if now else {}
    for name, record in sorted(processes.items(), key=lambda item: item[0] != "node"):
        if record.runs():
            print(f"stopping {name}, left by a supervisor that was killed", flush=True)
            stop(record.pid, record.started, grace=60.0 if name == "node" else 10.0)


def _prepare(layout: Layout) -> None:
    data = (layout.etcd, layout.gcs, layout.iam, layout.node, layout.pulumi)
    for folder in (layout.base, *data, layout.logs):
        folder.mkdir(parents=True, exist_ok=True)
    layout.etcd.chmod(0o700)  # etcd requires it.
    _disable_cli_logs(cli_home())
    choose_ports(layout)
    ensure_certificates(layout)
    if not layout.owner_token.exists():
        write_atomically(layout.owner_token, secrets.token_urlsafe(32))
    kubeconfig(layout, "admin", layout.kubeconfig)
    for name in ("kube-controller-manager", "kube-scheduler", "kserve-manager", "knative"):
        kubeconfig(layout, name, layout.certificates / f"{name}.kubeconfig")
    served = layout.scratch / "kserve-manager" / "k8s-webhook-server" / "serving-certs"
    served.mkdir(parents=True, exist_ok=True)
    for suffix in ("crt", "key"):
        source = layout.certificates / f"kserve-manager.{suffix}"
        shutil.copy2(source, served / f"tls.{suffix}")


def _disable_cli_logs(home: Path) -> None:
    """Put a file where the CLI would make the folder of its logs.

    It logs every property of every command, up to 500 MB, which takes a third of its CPU time, and
    has no option against that. It works without logs where it can't write them.
    """
    logs = home / "logs"
    if logs.is_dir():
        shutil.rmtree(logs, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    logs.touch()


def _start_supervisor(layout: Layout) -> None:
    layout.state.unlink(missing_ok=True)
    environment = proxies.without(os.environ) | {
        "KSERVE_TRITON_LOCAL": str(layout.base),
        state.EDITION: _edition(layout),
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("KUBECONFIG", None)
    with layout.log("supervisor").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "local.supervisor"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    first = state.State(
        supervisor.pid, start_mark(supervisor.pid) or "", environment[state.EDITION]
    )
    if supervisor.poll() is None and not layout.state.exists():
        state.write(layout, first)


def _wait(layout: Layout) -> None:
    """Print each process that gets healthy, until all are."""
    begun = time.monotonic()
    printed: set[str] = set()
    while True:
        now = state.read(layout)
        if now is None or not now.runs():
            raise LocalError(f"the supervisor ended.\n{_tail(layout, 'supervisor')}")
        for name, record in now.processes.items():
            if record.healthy and name not in printed:
                printed.add(name)
                where = f"127.0.0.1:{record.port}" if record.port else f"pid {record.pid}"
                print(f"  {name:<24} {where:<16} {_elapsed(begun)}", flush=True)
            if record.restarts >= _MAX_RESTARTS and name not in printed and not record.healthy:
                raise LocalError(f"{name} doesn't stay up.\n{_tail(layout, name)}")
        if now.processes and now.is_healthy():
            print(f"the local cluster is up ({_elapsed(begun).strip()})", flush=True)
            return
        if time.monotonic() - begun > _PATIENCE:
            raise LocalError(_describe_missing(layout, now))
        time.sleep(0.1)


def _elapsed(begun: float) -> str:
    return f"{time.monotonic() - begun:5.1f} s"


def _describe_missing(layout: Layout, now: state.State) -> str:
    unhealthy = [name for name, record in now.processes.items() if not record.healthy]
    first = f"the cluster isn't healthy after {_PATIENCE:.0f} s: {', '.join(unhealthy) or 'tasks'}"
    undone = [f"{name}: {status}" for name, status in now.tasks.items() if status != "done"]
    return "\n".join([first, *undone, *(_tail(layout, name) for name in unhealthy[:1])])


def _tail(layout: Layout, name: str) -> str:
    path = layout.log(name)
    lines = path.read_text(errors="replace").splitlines()[-12:] if path.exists() else []
    return "\n".join([f"The last lines of {path}:", *(f"  {line[:300]}" for line in lines)])
