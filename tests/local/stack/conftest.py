"""Stacks of the program's on the session's cluster, driven by the real CLI and plugin."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.request
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import yaml

from local import toolchain
from local.environment import environment
from local.layout import ROOT
from local.storage.identity import PROJECT, PROJECT_NUMBER
from tests.local.cluster import DEAD_PROXIES, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.local.cluster import Cluster

_RELEASES = ROOT / "build" / "test"
_PROGRAM = ("Pulumi.yaml", "__main__.py", "infra", "release", "templates")
SETTINGS: dict[str, Any] = {
    "storage": {
        "bucket": "kserve-triton-test",
        "project": "kserve-triton-test",
        "forceDestroy": True,
        "retainReleases": False,
    },
    "identity": {"project": PROJECT, "projectNumber": PROJECT_NUMBER},
    "predictor": {"cpu": "250m", "memory": "2Gi"},
    "transformer": {"cpu": "250m"},
    "jobs": {"cpu": "100m"},
    # Its default is two cores, more than Knative's pods leave of a small machine.
    "compiler": {"cpu": "250m", "memory": "4Gi"},
    "verification": {"deadlineSeconds": 90},
    # That it is measured and judged is tested here; how fast the machine is, is not.
    "perf": {
        "rate": 50,
        "durationSeconds": 2,
        "upload": True,
        "objectives": {"p99Ms": 5000, "successRatio": 0.9, "rateRatio": 0.5},
    },
    "models": {"digits": {}},
}
# A model in mode Knative, as small as it can be, whose stack declares Knative's settings.
KNATIVE: dict[str, Any] = {
    "mode": "Knative",
    "transformer": {"enabled": False},
    "predictor": {"cpu": "100m", "memory": "1Gi"},
    "verification": {"deadlineSeconds": 120},
    "perf": {"enabled": False},
}


@dataclass
class Stack:
    """A folder with the program, releases that tests may use, and a stack's file."""

    cluster: Cluster
    folder: Path
    name: str = "test"
    settings: dict[str, Any] = field(default_factory=lambda: SETTINGS)
    knative_before: dict[str, str] = field(default_factory=dict)

    def run(
        self, *words: str, patience: float = 300.0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=environment(self.cluster.layout) | DEAD_PROXIES | environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=patience,
        )

    def command(self, *words: str) -> list[str]:
        return ["pulumi", *words, "--stack", self.name, "--non-interactive"]

    def init(self) -> None:
        """A new stack, with nothing in it."""
        done = self.run("stack", "init", "--no-select")
        assert done.returncode == 0, done.stderr

    def configure(self, **changes: Any) -> None:
        """Of this test only: what an earlier one changed is as it was."""
        settings = {**self.settings, **changes}
        config = {f"kserve-triton:{key}": value for key, value in settings.items()}
        config["kubernetes:context"] = "kserve-triton-local"
        path = self.folder / f"Pulumi.{self.name}.yaml"
        salt = yaml.safe_load(path.read_text())["encryptionsalt"]
        # As JSON: PyYAML leaves the quotes away around 871904236e22, a number for Pulumi.
        path.write_text(json.dumps({"config": config, "encryptionsalt": salt}))

    def up(self, *options: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        self.configure(**changes)
        return self.run("up", "--yes", "--skip-preview", "--suppress-progress", *options)

    def deploy(self, *options: str, **changes: Any) -> None:
        done = self.up(*options, **changes)
        assert done.returncode == 0, _diagnostics(done)

    def destroy(self) -> None:
        done = self.run("destroy", "--yes", "--skip-preview", "--suppress-progress")
        assert done.returncode == 0, _diagnostics(done)

    def drift(self) -> subprocess.CompletedProcess[str]:
        """What the nightly check runs: it fails where the cluster isn't as the stack left it."""
        return self.run("refresh", "--preview-only", "--expect-no-changes")

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json").stdout)
        return found

    def predict(self, service: str = "digits-transformer", model: str = "digits") -> dict[str, Any]:
        """The answer to the release's first sample, asked from the host."""
        picture = {"image_bytes": {"b64": release(model)["samples"][0]["image"]}}
        found: dict[str, Any] = self.ask(self.url(service, model), {"instances": [picture]})
        return found["predictions"][0]

    def ask(self, url: str, body: Any) -> Any:
        """The answer to a POST of JSON."""
        with urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=10) as answer:
            return json.load(answer)

    def url(self, service: str = "digits-transformer", model: str = "digits") -> str:
        """Where the host asks for predictions."""
        return f"{self.address(service)}/v1/models/{model}:predict"

    def target(self, service: str, model: str) -> tuple[str, str]:
        """Where the host asks for predictions, and what the header Host says."""
        url = self.url(service, model)
        return url, urlsplit(url).netloc

    def address(self, service: str) -> str:
        """A Service's URL on the host."""
        return f"http://{self.cluster.layout.services()[f'{self.namespace}/{service}']['80']}"

    def list(self, kind: str, group: str = "/api/v1") -> list[dict[str, Any]]:
        path = f"{group}/namespaces/{self.namespace}/{kind}"
        found: list[dict[str, Any]] = self.cluster.api.get(path)["items"]
        return found

    @property
    def namespace(self) -> str:
        return str(self.settings.get("namespace", "models"))

    def service(self, name: str = "digits") -> dict[str, Any]:
        return self.cluster.api.get(self.service_path(name))

    def service_path(self, name: str = "digits") -> str:
        group = "/apis/serving.kserve.io/v1beta1"
        return f"{group}/namespaces/{self.namespace}/inferenceservices/{name}"


def _diagnostics(done: subprocess.CompletedProcess[str]) -> str:
    """What the CLI says of a failure, without the steps before it."""
    return done.stdout[done.stdout.find("Diagnostics:") :] + done.stderr


def release(model: str = "digits") -> dict[str, Any]:
    """A model's current release."""
    found: dict[str, Any] = json.loads(release_path(model).read_text())
    return found


def release_path(model: str) -> Path:
    """The file of a model's current release."""
    return _RELEASES / "build" / model / "release.json"


def floats(stored: dict[str, Any]) -> list[float]:
    """The values of an FP32 tensor of a release."""
    return array("f", base64.b64decode(stored["data"])).tolist()


def program(folder: Path) -> Path:
    """Put the program into a folder, with releases that tests may use."""
    for name in _PROGRAM:
        (folder / name).symlink_to(ROOT / name)
    for name in ("build", "models.lock.json"):
        (folder / name).symlink_to(_RELEASES / name)
    return folder


@pytest.fixture(scope="package")
def stack(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(cluster, program(tmp_path_factory.mktemp("program")))
    made.knative_before = knative_config(cluster)
    made.init()
    yield made
    # The cluster's other tests find Knative as it came.
    made.destroy()


@pytest.fixture
def other(stack: Stack) -> Iterator[Stack]:
    """A second stack on the same cluster, in a namespace of its own, without a load test."""
    place = {"bucket": "kserve-triton-other", "project": "kserve-triton-other"}
    own = {
        "namespace": "other",
        "storage": SETTINGS["storage"] | place,
        "perf": {"enabled": False},
    }
    made = Stack(stack.cluster, stack.folder, "other", SETTINGS | own, stack.knative_before)
    made.init()
    yield made
    made.destroy()
    assert made.run("stack", "rm", "--yes").returncode == 0


@pytest.fixture(scope="package")
def knative_serving(cluster: Cluster) -> dict[str, Any]:
    """The resource that Knative's operator follows, with settings of an administrator's.

    The definition is the operator's own. The operator, which would convert older versions and carry
    the settings into ConfigMaps, isn't here.
    """
    operator = toolchain.module("knative.dev/operator", "tests/local/stack/operator")
    path = operator / "config" / "crd" / "bases" / "operator.knative.dev_knativeservings.yaml"
    definition = yaml.safe_load(path.read_text())
    definition["spec"].pop("conversion", None)
    cluster.api.apply(definition)
    cluster.api.wait_for_definitions([definition])
    made = {
        "apiVersion": "operator.knative.dev/v1beta1",
        "kind": "KnativeServing",
        "metadata": {"name": "knative-serving", "namespace": "knative-serving"},
        "spec": {"config": {"deployment": {"queue-sidecar-cpu-request": "30m"}}},
    }
    cluster.api.apply(made)
    return made


def kubectl_patch(
    cluster: Cluster, path: str, change: dict[str, Any], manager: str = "kubectl-patch"
) -> None:
    """What `kubectl patch` or another of its commands does, under the name that it has there."""
    kind = "application/merge-patch+json"
    cluster.api.request("PATCH", f"{path}?fieldManager={manager}", change, kind)


def knative_config(cluster: Cluster, name: str = "config-deployment") -> dict[str, str]:
    path = f"/api/v1/namespaces/knative-serving/configmaps/{name}"
    found: dict[str, str] = eventually(lambda: cluster.api.get(path).get("data"))
    return found
