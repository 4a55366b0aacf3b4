"""The Go programs that the local cluster runs: what each is built from, and how it's recognised.

Versions are in the `go.mod` files of the folders named here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TOOLS", "Patch", "Program", "SourceFile", "Tool"]

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
