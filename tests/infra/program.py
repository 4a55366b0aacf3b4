"""The whole program under Pulumi's mocks, on a stack's real file: `run("local")`."""

from __future__ import annotations

import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
import yaml

from infra.config import merged
from infra.manifests.names import JOB_VARIABLE
from tests import mocks

ROOT = Path(__file__).parents[2]
# What a user fills in in the files of the cloud stacks.
FILLED_IN = {
    "<gke_PROJECT_LOCATION_CLUSTER>": "kserve-triton-local",
    "<a globally unique name>": "kserve-triton-{stack}-models",
    "<project>": "kserve-triton-{stack}",
    "<project number>": "222222222222",
    "<nvcr.io/nvidia/tritonserver@sha256:DIGEST>": f"nvcr.io/nvidia/tritonserver@sha256:{'a' * 64}",
    "<REGISTRY/transformer@sha256:DIGEST>": f"registry.example/transformer@sha256:{'c' * 64}",
    "<REGISTRY/jobs@sha256:DIGEST>": f"registry.example/jobs@sha256:{'d' * 64}",
}
# Contexts of all stacks.
KUBECONFIG = Path(__file__).parent / "kubeconfig.yaml"


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """The engine's place: keeps what the program registered, in order."""

    owners: list[dict[str, str]] = field(default_factory=list)
    cluster: str = "0f3c2d1e-5b6a-4c7d-8e9f-0a1b2c3d4e5f"
    resources: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def new_resource(
        self, args: pulumi.runtime.MockResourceArgs
    ) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        outputs = dict(args.inputs)
        if args.typ == "kubernetes:batch/v1:Job":
            outputs["status"] = {"succeeded": 1}
            outputs["metadata"] = {**outputs["metadata"], "uid": f"uid-of-{args.name}"}
        if args.resource_id == "kube-system":
            outputs["metadata"] = {**outputs["metadata"], "uid": self.cluster}
        if args.typ.endswith(":ConfigMapPatch"):
            outputs["metadata"] = {**outputs["metadata"], "ownerReferences": self.owners}
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
        raise AssertionError(f"the program asks nothing while it runs, but called {args.token}")

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs of every resource whose type ends so, by logical name."""
        return {r.name: r.inputs for r in self.resources if r.typ.endswith(kind)}

    def one(self, kind: str) -> dict[str, Any]:
        """Inputs of the only resource of that type."""
        (found,) = self.of(kind).values()
        return found

    def principal(self, account: str) -> str:
        """The IAM member for one of the pods' accounts that were granted something."""
        members = {each["member"] for each in self.of(":BucketIAMMember").values()}
        (found,) = (each for each in members if each.endswith(f"/sa/{account}"))
        return str(found)

    def asked(self, prefix: str) -> dict[str, dict[str, Any]]:
        """What the Jobs with such names are asked, by name."""
        jobs = {name: job for name, job in self.of(":Job").items() if name.startswith(prefix)}
        return {name: _asked(job["spec"]["template"]["spec"]) for name, job in jobs.items()}


def _asked(pod: dict[str, Any]) -> dict[str, Any]:
    values = {each["name"]: each.get("value") for each in pod["containers"][0]["env"]}
    return dict(json.loads(values[JOB_VARIABLE].replace("$$", "$")))


def filled_in(stack: str) -> str:
    """A stack's file as a user has filled it in."""
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    for placeholder, value in FILLED_IN.items():
        text = text.replace(placeholder, value.format(stack=stack))
    return text


def stack_config(
    stack: str, changes: dict[str, Any] | None = None, model: str = "cifar10"
) -> dict[str, Any]:
    """A stack file's values by key, filled in, with changes merged in; `model` is cifar10's place.

    Models in the changes replace those of the file.
    """
    config = yaml.safe_load(filled_in(stack).replace("cifar10:", f"{model}:"))["config"]
    prefix = "kserve-triton:"
    values = {
        key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)
    }
    changes = changes or {}
    models = {"models": changes["models"]} if "models" in changes else {}
    return dict(merged(values, changes)) | models


def run(
    stack: str,
    changes: dict[str, Any] | None = None,
    recorder: Recorder | None = None,
    model: str = "cifar10",
    context: str = "kserve-triton-local",
) -> Recorder:
    """Run `__main__.py` as the engine would; raises what it raises."""
    recorder = recorder or Recorder()
    values = stack_config(stack, changes, model)
    pulumi.runtime.set_all_config(
        {
            f"kserve-triton:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        }
        | {"kubernetes:context": context}
    )
    mocks.use(recorder, "kserve-triton", stack)

    exports: dict[str, Any] = {}

    @pulumi.runtime.test
    def program() -> Any:
        runpy.run_path(str(ROOT / "__main__.py"))
        return pulumi.Output.from_input(exports).apply(recorder.exports.update)

    # Pulumi's mocks have neither hooks nor a stack that could hold outputs.
    with (
        patch("infra.components.failures.explained", return_value=None),
        patch("infra.components.failures.guarded", return_value=None),
        patch("infra.components.failures.announced", return_value=None),
        patch.dict("os.environ", KUBECONFIG=str(KUBECONFIG)),
        patch("pulumi.export", exports.__setitem__),
    ):
        program()
    return recorder
