"""The Go programs that the local cluster runs: where each comes from, and how it is built.

Versions are in the `go.mod` files of the folders named here. The Kubernetes plugin has the release
that `requirements/program.in` pins for the Python SDK.
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
    """A file of a Go module that belongs beside a program."""

    folder: str
    module: str
    path: str


@dataclass(frozen=True)
class Patch:
    """A text in a Go module's source that is replaced for the build."""

    module: str
    path: str
    replace: str
    by: str


@dataclass(frozen=True)
class Release:
    """URLs of a program's official release, with `{version}` (v1.2.3), `{number}` (1.2.3) and the
    machine, which is `{amd64}` or, in Pulumi's names, `{x64}`."""

    url: str
    """A .tar.gz, or the program itself."""
    checksums: str
    """SHA-256 digests: a single one, or lines of a digest and a file's name."""
    folder: str = "."
    """The program's folder in the archive."""

    def filled(self, pattern: str, version: str) -> str:
        """One of these patterns, for this machine and a version such as v1.2.3."""
        machine = platform.machine()
        amd64, x64 = _MACHINES.get(machine, (machine, machine))
        number = version.removeprefix("v")
        return pattern.format(version=version, number=number, amd64=amd64, x64=x64)


@dataclass(frozen=True)
class Program:
    """The conditions under which a program on PATH is used."""

    ask: tuple[str, ...]
    """Arguments with which it prints its version."""
    parts: int
    """How many parts of the version must be the same: with 1, 3.300.1 fits 3.259.0, with 2 not.
    An older one never fits."""


@dataclass(frozen=True)
class Tool:
    """A Go program."""

    name: str
    folder: str
    """The folder of the `go.mod` that pins it."""
    package: str
    """Of a module, or `./FOLDER` for one of this project's, beside the `go.mod`."""
    versioned_by: str
    """A module of that `go.mod`, or a Python package of `requirements/program.in`."""
    stamps: tuple[str, ...] = ()
    on_path: Program | None = None
    beside: SourceFile | None = None
    patches: tuple[Patch, ...] = ()
    embeds: tuple[tuple[str, str], ...] = ()
    """Files of the patched module, and the names of their copies beside them."""
    release: Release | None = None
    published_with: str = ""
    """The program whose release contains this one."""


# For programs that listen on all of the machine's addresses, or on a fixed port, and have no flag
# for that.
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
# Pulumi's module has a pointer there since 3.248. With this patch the plugin is built on the CLI's
# version of it, and most packages of both are compiled once.
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
        # Without these the API server has the version v0.0.0, which clients refuse.
        stamps=(
            f"{_KUBERNETES_VERSION}.gitVersion={{version}}",
            f"{_KUBERNETES_VERSION}.gitMajor={{major}}",
            f"{_KUBERNETES_VERSION}.gitMinor={{minor}}",
        ),
        on_path=Program(("--version",), parts=2),
        release=Release(url, f"{url}.sha256"),
    )


def _knative(name: str, patches: tuple[Patch, ...] = ()) -> Tool:
    return Tool(
        f"knative-{name}",
        "local/tools/knative",
        f"knative.dev/serving/cmd/{name}",
        "knative.dev/serving",
        patches=patches,
    )


# By module, in the order of their builds.
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
    Tool("streaming", "local/tools/kubernetes", "./streaming", "k8s.io/kubelet"),
    _knative("controller", _KNATIVE_ON_LOOPBACK),
    _knative("webhook", _KNATIVE_ON_LOOPBACK),
    # These run in pods, at the pods' addresses.
    _knative("activator"),
    _knative("autoscaler"),
    _knative("queue"),
    Tool(
        "kourier",
        "local/tools/knative",
        "knative.dev/net-kourier/cmd/kourier",
        "knative.dev/net-kourier",
    ),
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
        # Copies do: those that its go:generate makes differ in white space and the version only.
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
    Tool("ghz", "jobs/ghz", "github.com/bojand/ghz/cmd/ghz", "github.com/bojand/ghz"),
)
