"""A bucket of releases and a registry of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
from pulumi_gcp import artifactregistry, storage

from bootstrap.buckets import private_bucket

if TYPE_CHECKING:
    from bootstrap.settings import BootstrapSettings

# Releases are only added: they are named by their content.
ADD, READ = "roles/storage.objectCreator", "roles/storage.objectViewer"


@dataclass(frozen=True)
class ArtefactsArgs:
    """The environment's settings, with the members that add or read releases and pull images."""

    settings: BootstrapSettings


class Artefacts(pulumi.ComponentResource):
    """Both are immutable: no release or image is replaced by another of the same name.

    With `releases` the bucket is another environment's, which grants access to it.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: ArtefactsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kserve-triton:bootstrap:Artefacts", name, None, opts)
        self._name, self._settings = name, args.settings
        project, location = args.settings.project, args.settings.location
        self._child = pulumi.ResourceOptions(parent=self)
        self._releases: pulumi.Input[str] = (
            args.settings.releases
            or private_bucket(
                f"{name}-releases", f"{project}-releases", project, location, self._child
            ).name
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
        authors, readers = args.settings.release_authors, args.settings.release_readers
        for member in authors:
            self.grant_releases(member, member, ADD)
        for member in dict.fromkeys((*authors, *readers)):
            self.grant_releases(member, member, READ)
        for member in args.settings.image_readers:
            self.grant_images(member, member, "roles/artifactregistry.reader")
        self.url = pulumi.Output.concat("gs://", self._releases)
        self.register_outputs({"url": self.url})

    def grant_releases(self, name: str, member: pulumi.Input[str], role: str) -> None:
        """Grant a role on this environment's releases; `name` is part of the resource's name."""
        if self._settings.releases:
            return
        storage.BucketIAMMember(
            f"{self._name}-releases-{role.rpartition('.')[2]}-{name}",
            bucket=self._releases,
            role=role,
            member=member,
            opts=self._child,
        )

    def grant_images(self, name: str, member: pulumi.Input[str], role: str) -> None:
        """Grant a role on the images; `name` is part of the resource's name."""
        artifactregistry.RepositoryIamMember(
            f"{self._name}-images-{name}",
            project=self._settings.project,
            location=self._settings.location,
            repository=self._images.name,
            role=role,
            member=member,
            opts=self._child,
        )
