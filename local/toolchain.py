"""The Go programs of the local cluster: which there are, where each is found, where a module lies.

A program is taken from PATH if it says a version that fits, else from the cache in the user's
cache folder, else it is built there (`local.building`). Versions are pinned in one place each: the
`go.mod` files under `local/tools/` and `perf/vegeta/`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

__all__ = [
    "ROOT",
    "TOOLS",
    "Patch",
    "Program",
    "SourceFile",
    "Tool",
    "build_flags",
    "cache",
    "cached",
    "go",
    "module",
    "on_path",
    "tool",
    "version",
]

ROOT = Path(__file__).resolve().parent.parent
_GO_AT_LEAST = (1, 25)
_KUBERNETES_VERSION = "k8s.io/component-base/version"
_PULUMI_VERSION = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"


@dataclass(frozen=True)
class SourceFile:
    """A file of a Go module that must lie beside a program."""

    folder: str
    module: str
    path: str


@dataclass(frozen=True)
class Patch:
    """Words of a Go module's source that are replaced for the build, the rest staying as it is."""

    module: str
    path: str
    replace: str
    by: str


@dataclass(frozen=True)
class Program:
    """How a program on PATH is asked for its version, and which part of it must be the same."""

    ask: tuple[str, ...]
    parts: int
    """3.259.0 fits 3.300.1 in one part, but not in two. An older one never fits."""


@dataclass(frozen=True)
class Tool:
    """A Go program, the module that pins it, and the module whose version it bears."""

    name: str
    folder: str
    package: str
    versioned_by: str
    stamps: tuple[str, ...] = ()
    on_path: Program | None = None
    beside: SourceFile | None = None
    patches: tuple[Patch, ...] = ()


# Where a program insists on all of the machine's addresses, or on a port that somebody else may
# have, and no flag says otherwise.
_KNATIVE_ON_LOOPBACK = (
    Patch(
        "knative.dev/pkg",
        "webhook/webhook.go",
        'fmt.Sprint(":", wh.Options.Port)',
        'fmt.Sprint("127.0.0.1:", wh.Options.Port)',
    ),
    Patch(
        "knative.dev/pkg",
        "observability/runtime/pprof.go",
        'Addr:    ":" + port',
        'Addr:    "127.0.0.1:" + port',
    ),
    Patch(
        "knative.dev/pkg",
        "injection/health_check.go",
        'Addr: ":" + strconv.Itoa(port)',
        'Addr: "127.0.0.1:" + strconv.Itoa(port)',
    ),
    Patch(
        "knative.dev/pkg",
        "injection/health_check.go",
        "HealthCheckDefaultPort = 8080",
        "HealthCheckDefaultPort = 0",
    ),
)
_KSERVE_ON_LOOPBACK = (
    Patch(
        "github.com/kserve/kserve",
        "cmd/manager/main.go",
        "Port: options.webhookPort,",
        'Port: options.webhookPort, Host: "127.0.0.1",',
    ),
)


def _kubernetes(name: str) -> Tool:
    return Tool(
        name,
        "local/tools/kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        "k8s.io/kubernetes",
        # Without these the API server calls itself v0.0.0 and clients choke on it.
        stamps=(
            f"{_KUBERNETES_VERSION}.gitVersion={{version}}",
            f"{_KUBERNETES_VERSION}.gitMajor={{major}}",
            f"{_KUBERNETES_VERSION}.gitMinor={{minor}}",
        ),
        on_path=Program(("--version",), parts=2),
    )


def _knative(name: str) -> Tool:
    return Tool(
        f"knative-{name}",
        "local/tools/knative",
        f"knative.dev/serving/cmd/{name}",
        "knative.dev/serving",
        patches=_KNATIVE_ON_LOOPBACK,
    )


# In the order they are built: what shares dependencies lies together.
TOOLS: tuple[Tool, ...] = (
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    Tool(
        "kserve-manager",
        "local/tools/kubernetes",
        "github.com/kserve/kserve/cmd/manager",
        "github.com/kserve/kserve",
        patches=_KSERVE_ON_LOOPBACK,
    ),
    Tool(
        "etcd",
        "local/tools/kubernetes",
        "go.etcd.io/etcd/server/v3",
        "go.etcd.io/etcd/server/v3",
        on_path=Program(("--version",), parts=2),
    ),
    _knative("controller"),
    _knative("webhook"),
    Tool(
        "pulumi",
        "local/tools/pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        stamps=(f"{_PULUMI_VERSION}={{version}}",),
        on_path=Program(("version",), parts=1),
    ),
    Tool(
        "pulumi-language-python",
        "local/tools/pulumi-python",
        "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        "github.com/pulumi/pulumi/sdk/v3",
        stamps=(f"{_PULUMI_VERSION}={{version}}",),
        beside=SourceFile(
            "local/tools/pulumi",
            "github.com/pulumi/pulumi/sdk/v3",
            "python/cmd/pulumi-language-python-exec",
        ),
    ),
    Tool(
        "fake-gcs-server",
        "local/tools/gcs",
        "github.com/fsouza/fake-gcs-server",
        "github.com/fsouza/fake-gcs-server",
    ),
    Tool("vegeta", "perf/vegeta", "github.com/tsenart/vegeta/v12", "github.com/tsenart/vegeta/v12"),
)


def version(module_path: str, folder: str) -> str:
    """The version that `folder`'s go.mod pins for a module: `v1.34.4`."""
    text = (ROOT / folder / "go.mod").read_text()
    found = re.search(rf"^(?:require )?\s*{re.escape(module_path)} (v\S+)", text, re.MULTILINE)
    if not found:
        raise LocalError(f"{folder}/go.mod doesn't pin {module_path}")
    return found[1]


def build_flags(wanted: Tool) -> list[str]:
    """Of `go build`. Reproducible: no path of this machine, nothing resolved anew."""
    pinned = version(wanted.versioned_by, wanted.folder)
    major, minor = pinned.removeprefix("v").split(".")[:2]
    stamps = [s.format(version=pinned, major=major, minor=minor) for s in wanted.stamps]
    linker = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in stamps)])
    return ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={linker}"]


def cache() -> Path:
    """Where built programs lie, for all clones of this user."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "kserve-triton" / "tools"


def cached(wanted: Tool) -> Path:
    """Where the cache has, or would have, exactly this build."""
    recipe = [wanted.package, *build_flags(wanted), *map(repr, wanted.patches)]
    digest = hashlib.sha256("\0".join(recipe).encode())
    for name in ("go.mod", "go.sum"):
        digest.update((ROOT / wanted.folder / name).read_bytes())
    if wanted.beside:
        digest.update(version(wanted.beside.module, wanted.beside.folder).encode())
    pinned = version(wanted.versioned_by, wanted.folder)
    return cache() / f"{wanted.name}-{pinned}-{digest.hexdigest()[:12]}" / wanted.name


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()


def on_path(wanted: Tool) -> Path | None:
    """The user's own program, if it says a version that fits."""
    found = shutil.which(wanted.name)
    if not found or not wanted.on_path:
        return None
    try:
        said = subprocess.run(
            [found, *wanted.on_path.ask], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    has, needs = _numbers(said.stdout), _numbers(version(wanted.versioned_by, wanted.folder))
    parts = wanted.on_path.parts
    return Path(found) if has >= needs and has[:parts] == needs[:parts] else None


@functools.cache
def tool(name: str) -> Path:
    """A program that is there: from PATH or the cache. Raises LocalError if it was never built."""
    wanted = next((each for each in TOOLS if each.name == name), None)
    if wanted is None:
        raise LocalError(f"there is no tool {name!r}; there are {', '.join(t.name for t in TOOLS)}")
    built = cached(wanted)
    found = on_path(wanted) or (built if built.exists() else None)
    # Pulumi's CLI and its language host belong together: the official ones lie in one folder.
    if name == "pulumi-language-python" and (own := on_path(_named("pulumi"))):
        official = own.resolve().with_name(name)
        found = official if official.exists() else found
    if found is None:
        raise LocalError(f"{name} is not built yet. Run: make up")
    return found


def _named(name: str) -> Tool:
    return next(each for each in TOOLS if each.name == name)


@functools.cache
def go() -> Path:
    """The Go command. Raises LocalError if there is none, or if it is too old."""
    needed = ".".join(map(str, _GO_AT_LEAST))
    found = shutil.which("go")
    if not found:
        raise LocalError(
            f"Go is needed to build the cluster's programs, and there is no `go` on PATH. "
            f"Install Go {needed} or newer (apt install golang, brew install go, go.dev/dl)."
        )
    said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    has = re.match(r"go(\d+)\.(\d+)", said.stdout)
    # From 1.21 on, Go fetches the toolchain that a go.mod asks for.
    if not has or (int(has[1]), int(has[2])) < (1, 21):
        raise LocalError(f"{found} is {said.stdout.strip() or 'broken'}; Go {needed} is needed.")
    return Path(found)


@functools.cache
def module(path: str, folder: str = "") -> Path:
    """The folder of a Go module's source, fetched and checked against go.sum if need be.

    `folder` names the go.mod that pins it; without it the first that does is taken.
    """
    folders = [folder] if folder else list(dict.fromkeys(each.folder for each in TOOLS))
    for each in folders:
        try:
            version(path, each)
        except LocalError:
            continue
        return _download(path, each)
    raise LocalError(f"no go.mod pins the module {path}")


def _download(path: str, folder: str) -> Path:
    done = subprocess.run(
        [go(), "mod", "download", "-json", path],
        cwd=ROOT / folder,
        env=os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in answer:
        raise LocalError(f"can't fetch {path}: {answer.get('Error') or done.stderr.strip()}")
    return Path(answer["Dir"])
