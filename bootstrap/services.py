"""The Google APIs that an environment uses."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects

APIS = (
    "artifactregistry",
    "cloudkms",
    "cloudresourcemanager",
    "container",
    "iam",
    "iamcredentials",
    "monitoring",
    "storage",
    "sts",
)


@dataclass(frozen=True)
class ServicesArgs:
    """The project."""

    project: str


class Services(pulumi.ComponentResource):
    """Enabled APIs. They stay enabled when the stack is destroyed: others may use them."""

    enabled: list[pulumi.Resource]

    def __init__(
        self, name: str, args: ServicesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:Services", name, None, opts)
        self.enabled = [
            projects.Service(
                f"{name}-{api}",
                project=args.project,
                service=f"{api}.googleapis.com",
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for api in APIS
        ]
        self.register_outputs({})
