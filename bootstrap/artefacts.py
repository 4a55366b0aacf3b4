"""What stacks deploy: releases in a bucket, images in a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import artifactregistry, storage

from bootstrap.buckets import private_bucket

if TYPE_CHECKING:
    from bootstrap.settings import Settings

# A release is named by its content: adding is all there is to do with one.
ADD, READ = "roles/storage.objectCreator", "roles/storage.objectViewer"


@dataclass(frozen=True)
class ArtefactsArgs:
    """The environment, with those who add releases and pull images."""

    settings: Settings


class Artefacts(pulumi.ComponentResource):
    """Neither a release nor an image is ever replaced by another of its name."""

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: ArtefactsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:Artefacts", name, None, opts)
        self._name, self._settings = name, args.settings
        project, location = args.settings.project, args.settings.location
        self._child = pulumi.ResourceOptions(parent=self)
        self._releases = private_bucket(
            f"{name}-releases", f"{project}-releases", project, location, self._child
        )
        self._images = artifactregistry.Repository(
            f"{name}-images",
            repository_id="images",
            project=project,
            location=location,
            format="DOCKER",
            docker_config={"immutable_tags": True},
            opts=self._child,
        )
        for member in args.settings.release_authors:
            for role in (ADD, READ):
                self.grant_releases(member, member, role)
        for member in args.settings.image_readers:
            self.grant_images(member, member, "roles/artifactregistry.reader")
        self.url = pulumi.Output.concat("gs://", self._releases.name)
        self.register_outputs({"url": self.url})

    def grant_releases(self, who: str, member: pulumi.Input[str], role: str) -> None:
        """A role on the releases; `who` names the grant."""
        storage.BucketIAMMember(
            f"{self._name}-releases-{role.rpartition('.')[2]}-{who}",
            bucket=self._releases.name,
            role=role,
            member=member,
            opts=self._child,
        )

    def grant_images(self, who: str, member: pulumi.Input[str], role: str) -> None:
        """A role on the images; `who` names the grant."""
        artifactregistry.RepositoryIamMember(
            f"{self._name}-images-{who}",
            project=self._settings.project,
            location=self._settings.location,
            repository=self._images.name,
            role=role,
            member=member,
            opts=self._child,
        )
