"""The Go programs that the local cluster runs: what each is built from, and how it's recognised.

Versions are in the `go.mod` files of the folders named here. The Kubernetes plugin's release is the
one that `requirements/program.in` pins for the Python SDK.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

__all__ = ["TOOLS", "Patch", "Program", "Release", "SourceFile", "Tool"]

_MACHINES = {"x86_64": ("amd64", "x64"), "aarch64": ("arm64", "arm64")}
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
class Release:
    """Where the authors of a program publish it: patterns with `{version}` (v1.2.3), `{number}`
    (1.2.3) and the machine, which is `{amd64}` or, as Pulumi names it, `{x64}`."""

    url: str
    """Of a .tar.gz, or of the program itself."""
    checksums: str
    """Of the SHA-256 digests: one alone, or lines of a digest and a file's name."""
    folder: str = "."
    """Where the program lies in the archive."""

    def filled(self, pattern: str, version: str) -> str:
        """One of these for this machine, and a version such as v1.2.3."""
        machine = platform.machine()
        amd64, x64 = _MACHINES.get(machine, (machine, machine))
        number = version.removeprefix("v")
        return pattern.format(version=version, number=number, amd64=amd64, x64=x64)


@dataclass(frozen=True)
class Program:
    """How a program on PATH is asked for its version, and which part of it must be the same."""

    ask: tuple[str, ...]
    parts: int
    """3.259.0 fits 3.300.1 in one part, but not in two. An older one never fits."""


@dataclass(frozen=True)
class Tool:
    """A Go program, the module that pins it, and what gives it its version: a module of that
    `go.mod`, or a Python package of `requirements/program.in`."""

    name: str
    folder: str
    package: str
    versioned_by: str
    stamps: tuple[str, ...] = ()
    on_path: Program | None = None
    beside: SourceFile | None = None
    patches: tuple[Patch, ...] = ()
    embeds: tuple[tuple[str, str], ...] = ()
    """Files of the patched module that are copied within it before the build."""
    release: Release | None = None
    published_with: str = ""
    """The program in whose release this one lies too."""


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
# In code that makes schemas of CRDs. Since 3.248 Pulumi's module has a pointer there; with this the
# plugin is built on the CLI's own version of it, and most of both is compiled once.
_PLUGIN_MODULE = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PLUGIN_ON_PULUMI = (
    Patch(
        _PLUGIN_MODULE,
        "pkg/gen/schema.go",
        "Provider: pschema.ResourceSpec{",
        "Provider: &pschema.ResourceSpec{",
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


_KUBERNETES_RELEASES = "https://dl.k8s.io/release/{version}/bin/linux/{amd64}"
_ETCD_RELEASES = "https://github.com/etcd-io/etcd/releases/download/{version}"
_PULUMI_RELEASES = "https://github.com/pulumi/pulumi/releases/download/{version}"
_PLUGIN_RELEASES = "https://github.com/pulumi/pulumi-kubernetes/releases/download/{version}"

_PULUMI_RELEASE = Release(
    f"{_PULUMI_RELEASES}/pulumi-{{version}}-linux-{{x64}}.tar.gz",
    f"{_PULUMI_RELEASES}/pulumi-{{number}}-checksums.txt",
    folder="pulumi",
)
_PLUGIN_RELEASE = Release(
    f"{_PLUGIN_RELEASES}/pulumi-resource-kubernetes-{{version}}-linux-{{amd64}}.tar.gz",
    f"{_PLUGIN_RELEASES}/pulumi-kubernetes_{{number}}_checksums.txt",
)
_ETCD_RELEASE = Release(
    f"{_ETCD_RELEASES}/etcd-{{version}}-linux-{{amd64}}.tar.gz",
    f"{_ETCD_RELEASES}/SHA256SUMS",
    folder="etcd-{version}-linux-{amd64}",
)


def _kubernetes(name: str) -> Tool:
    url = f"{_KUBERNETES_RELEASES}/{name}"
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
        release=Release(url, f"{url}.sha256"),
    )


def _knative(name: str) -> Tool:
    return Tool(
        f"knative-{name}",
        "local/tools/knative",
        f"knative.dev/serving/cmd/{name}",
        "knative.dev/serving",
        patches=_KNATIVE_ON_LOOPBACK,
    )


# By module, in the order they are built: what shares dependencies lies together.
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
        release=_ETCD_RELEASE,
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
        release=_PULUMI_RELEASE,
    ),
    Tool(
        "pulumi-resource-kubernetes",
        "local/tools/pulumi",
        f"{_PLUGIN_MODULE}/cmd/pulumi-resource-kubernetes",
        "pulumi-kubernetes",
        stamps=(f"{_PLUGIN_MODULE}/pkg/version.Version={{number}}",),
        patches=_PLUGIN_ON_PULUMI,
        # What its own go:generate makes of them has other spaces and the version.
        embeds=tuple(
            (f"cmd/pulumi-resource-kubernetes/{name}.json", f"{name}-embed.json")
            for name in ("schema", "terraform-mapping")
        ),
        release=_PLUGIN_RELEASE,
    ),
    Tool(
        "pulumi-language-python",
        "local/tools/pulumi-python",
        "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
        "github.com/pulumi/pulumi/sdk/v3",
        stamps=(f"{_PULUMI_VERSION}={{version}}",),
        published_with="pulumi",
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
    Tool("vegeta", "jobs/vegeta", "github.com/tsenart/vegeta/v12", "github.com/tsenart/vegeta/v12"),
)
