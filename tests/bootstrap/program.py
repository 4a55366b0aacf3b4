"""The bootstrap program under Pulumi's mocks: `run("dev")`."""

from __future__ import annotations

import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi

from tests import mocks

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "project": "kserve-triton-dev",
    "location": "europe-west4",
    "repository": "someone/kserve-triton",
    "repositoryId": 4711,
    "cluster": "serving",
    "clusterLocation": "europe-west4-a",
    "modelsBucket": "kserve-triton-dev-models",
}
POOL = "projects/1/locations/global/workloadIdentityPools/github"
STORAGE_AGENT = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """The engine's place: what was registered, with what Google would add to it."""

    resources: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    protected: set[str] = field(default_factory=set)

    def new_resource(
        self, args: pulumi.runtime.MockResourceArgs
    ) -> tuple[str | None, dict[str, Any]]:
        self.resources.append(args)
        outputs = dict(args.inputs)
        # Components have types of this program's own.
        kind = args.typ.rpartition(":")[2] if args.typ.startswith("gcp:") else ""
        if kind == "Account":
            email = f"{outputs['accountId']}@{outputs['project']}.iam.gserviceaccount.com"
            outputs |= {
                "email": email,
                "member": f"serviceAccount:{email}",
                "name": f"projects/-/serviceAccounts/{email}",
            }
        elif kind == "IAMCustomRole":
            outputs["name"] = f"projects/{outputs['project']}/roles/{outputs['roleId']}"
        elif kind == "WorkloadIdentityPool":
            outputs["name"] = POOL
        elif kind == "WorkloadIdentityPoolProvider":
            outputs["name"] = f"{POOL}/providers/{outputs['workloadIdentityPoolProviderId']}"
        elif kind == "Repository":
            outputs["name"] = outputs["repositoryId"]
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[Any]]:
        if args.token.endswith(":getProjectServiceAccount"):
            return {"member": STORAGE_AGENT}, []
        raise AssertionError(f"the program doesn't ask for {args.token}")

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs of every resource whose type ends so, by logical name."""
        return {r.name: r.inputs for r in self.resources if r.typ.endswith(f":{kind}")}

    def one(self, kind: str) -> dict[str, Any]:
        """Inputs of the only resource of that type."""
        (found,) = self.of(kind).values()
        return found

    def grants(self, who: str) -> set[tuple[str, str]]:
        """(role, condition) of all that an account was given, on whatever."""
        member = f"serviceAccount:kserve-triton-{who}@kserve-triton-dev.iam.gserviceaccount.com"
        return {
            (r.inputs["role"], (r.inputs.get("condition") or {}).get("expression", ""))
            for r in self.resources
            if r.inputs.get("member") == member
        }


class Monitor(pulumi.runtime.mocks.MockMonitor):
    """Mocks are told what a resource is; options only the monitor sees."""

    mocks: Recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.protect:
            self.mocks.protected.add(request.name)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]


def run(environment: str = "dev", changes: dict[str, Any] | None = None) -> Recorder:
    """Run `bootstrap/__main__.py` as the engine would; raises what it raises."""
    recorder = Recorder()
    values = CONFIG | (changes or {})
    pulumi.runtime.set_all_config(
        {
            f"kserve-triton-bootstrap:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in values.items()
        }
    )
    monitor = Monitor(recorder)
    mocks.use(recorder, "kserve-triton-bootstrap", environment, monitor)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> Any:
        made = runpy.run_path(str(ROOT / "bootstrap/__main__.py"))
        outputs = {name: account.settings for name, account in made["accounts"].items()}
        outputs |= {"state": made["state"].url, "secrets": made["state"].secrets_provider}
        outputs |= {"projectNumber": made["federation"].project_number}
        return pulumi.Output.from_input(outputs).apply(recorder.exports.update)

    program()
    return recorder
