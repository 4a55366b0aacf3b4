"""The environment's configuration, read once into frozen typed settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import pulumi
from pydantic import AfterValidator, ValidationError, ValidationInfo, field_validator

from infra.config import Section, google
from infra.config import types as t
from infra.config.problems import ConfigError, Problem
from infra.config.settings import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "kserve-triton-bootstrap:"


def _matching(pattern: str, allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"allowed: {allowed}")
        return value

    return AfterValidator(check)


# Keys and images, unlike buckets, have other names for several regions at once.
Region = Annotated[str, _matching(google.REGION.pattern, "one region, such as europe-west4")]
# Names that GitHub and Google allow. They cannot end the text of a condition.
Repository = Annotated[str, _matching(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", "owner/name")]
Branch = Annotated[str, _matching(r"[A-Za-z0-9._/-]+", "letters, digits, '.', '_', '/' and '-'")]
Cluster = Annotated[
    str, _matching(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", "1 to 40 of a-z, 0-9 and '-'")
]
Place = Annotated[str, _matching(r"[a-z]+-[a-z]+[0-9]+(-[a-z])?", "a region, or a zone in one")]
# As the other environment's output `artefacts` has it, or without gs://.
Releases = Annotated[
    str, AfterValidator(lambda name: name and google.check_bucket(name.removeprefix("gs://")))
]
ModelsKey = Annotated[str, AfterValidator(lambda key: key and google.check_kms_key(key))]


class BootstrapSettings(Section):
    """An environment: its project, the repository that deploys to it, and its cluster."""

    project: t.Project
    location: Region
    repository: Repository
    repository_id: t.Count
    branch: Branch = "main"
    cluster: Cluster
    cluster_location: Place
    models_bucket: t.Bucket
    models_key: ModelsKey = ""
    release_authors: tuple[t.Member, ...] = ()
    release_readers: tuple[t.Member, ...] = ()
    releases: Releases = ""
    image_readers: tuple[t.Member, ...] = ()

    @field_validator("releases")
    @classmethod
    def _grants_nothing(cls, releases: str, info: ValidationInfo) -> str:
        """Only the environment that made a bucket grants access to it."""
        if releases and (info.data.get("release_authors") or info.data.get("release_readers")):
            raise ValueError(
                "allowed: none with releaseAuthors or releaseReaders, which would be granted "
                "nothing; set those in the environment that made the bucket"
            )
        return releases

    @property
    def registry(self) -> str:
        """The path of the images in the registry."""
        return f"{self.location}-docker.pkg.dev/{self.project}/images"


def load() -> BootstrapSettings:
    """The running stack's settings; raises pulumi.RunError, whose message the CLI shows."""
    config = pulumi.runtime.config.CONFIG.get()
    found = {
        key.removeprefix(PREFIX): decode(value)
        for key, value in config.items()
        if key.startswith(PREFIX)
    }
    try:
        return parse(found)
    except ConfigError as error:
        raise pulumi.RunError(str(error)) from None


def parse(found: Mapping[str, Any]) -> BootstrapSettings:
    """Typed settings of a stack file's values; raises ConfigError with every problem."""
    try:
        return BootstrapSettings.model_validate(found)
    except ValidationError as error:
        lines = [f"  {PREFIX}{_problem(item)}" for item in error.errors()]
        head = (
            f"{len(lines)} wrong values in this environment's configuration; nothing was changed:"
        )
        raise ConfigError("\n".join([head, *lines])) from None


def _problem(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"{key}: missing; set it: pulumi config set {key} VALUE"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown; Pulumi.yaml lists the keys"
    message = str(error["msg"]).removeprefix("Value error, ")
    return str(Problem(key, error["input"], message))
